// What stands here runs once for each environment, before its first event.

export const handler = async (event, context) => {
  const name = event.name ?? 'world';
  console.log(`greeting ${name} in request ${context.awsRequestId}`);
  return { greeting: `Hello, ${name}!` };
};
