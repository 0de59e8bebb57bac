exports.handler = async (event) => ({ node: event });
