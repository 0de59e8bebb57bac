'use strict';
// Error documents: what a failing function's caller receives. Names and shapes are those of
// AWS's Node.js runtime.

function define(name, type) {
  const kind = { [name]: class extends Error {} }[name];
  Object.defineProperty(kind.prototype, 'name', { value: type, writable: true, configurable: true });
  return kind;
}

const ImportModuleError = define('ImportModuleError', 'Runtime.ImportModuleError');
const HandlerNotFound = define('HandlerNotFound', 'Runtime.HandlerNotFound');
const MalformedHandlerName = define('MalformedHandlerName', 'Runtime.MalformedHandlerName');
const UserCodeSyntaxError = define('UserCodeSyntaxError', 'Runtime.UserCodeSyntaxError');
const CallbackHandlerDeprecated = define('CallbackHandlerDeprecated', 'Runtime.CallbackHandlerDeprecated');
const NodeJsExit = define('NodeJsExit', 'Runtime.NodeJsExit');

class UnhandledPromiseRejection extends Error {
  constructor(reason, promise) {
    super(reason);
    this.reason = reason;
    this.promise = promise;
  }
}
UnhandledPromiseRejection.prototype.name = 'Runtime.UnhandledPromiseRejection';

const RESPONSE_TOO_LARGE = Object.freeze({
  errorType: 'Function.ResponseSizeTooLarge',
  errorMessage: 'Response payload size exceeded maximum allowed payload size (6291556 bytes).',
});

// DEL is the one ASCII character that header parsers refuse and JSON does not escape.
const clean = (text) => String(text).replace(/\x7F/g, '%7F');

function looksLikeError(value) {
  return (
    value instanceof Error ||
    Boolean(value && value.name && value.message && typeof value.stack === 'string')
  );
}

// The document for anything that was thrown, rejected or passed to a callback.
function describe(error) {
  try {
    if (!looksLikeError(error)) return { errorType: typeof error, errorMessage: error.toString(), trace: [] };
    return {
      errorType: clean(error.name),
      errorMessage: clean(error.message),
      trace: clean(error.stack).split('\n'),
    };
  } catch {
    return {
      errorType: 'handled',
      errorMessage:
        'callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack',
    };
  }
}

module.exports = {
  CallbackHandlerDeprecated,
  HandlerNotFound,
  ImportModuleError,
  MalformedHandlerName,
  NodeJsExit,
  RESPONSE_TOO_LARGE,
  UnhandledPromiseRejection,
  UserCodeSyntaxError,
  describe,
};
