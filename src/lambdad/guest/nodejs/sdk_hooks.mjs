// The step of sdk.cjs for a Node.js that resolves modules on a thread of its own.

let parentURL;

export function initialize(data) {
  parentURL = data.parentURL;
}

export async function resolve(specifier, context, next) {
  try {
    return await next(specifier, context);
  } catch (error) {
    const named = !/^[./]|^[a-z]+:/.test(specifier);
    if (!named || error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    return next(specifier, { ...context, parentURL });
  }
}
