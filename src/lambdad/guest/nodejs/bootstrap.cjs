'use strict';
// Entry point of a Node.js runtime process: load the handler, then one event after another.
// Standard library only. Whatever a plain invocation does not need is required where it is used.

const ahead = require('./ahead.cjs');
const { openChannel } = require('./channel.cjs');
const { UnhandledPromiseRejection, describe } = require('./errors.cjs');
const { loadHandler } = require('./loader.cjs');
const logs = require('./logs.cjs');
const { serve } = require('./invocation.cjs');

// As Node.js itself ends when the top level of a module never finishes.
const EXIT_UNSETTLED = 13;
const EXIT_UNHANDLED_REJECTION = 128;
const EXIT_UNCAUGHT_EXCEPTION = 129;

let api;

function overHttp() {
  const { RuntimeApi } = require('./client.cjs');
  return new RuntimeApi(process.env.AWS_LAMBDA_RUNTIME_API);
}

// The state of the loop: which invocation runs, and what to do when nothing is left to do.
const loop = {
  requestId: undefined,
  whenIdle: () => process.exit(EXIT_UNSETTLED),
};

async function fail(error, exitCode) {
  // Already answered, or asking for the next event: there is no invocation left to fail.
  if (api.busy) process.exit(exitCode);
  const document = describe(error);
  if (loop.requestId === undefined) await api.failInit(document);
  else await api.fail(loop.requestId, document);
  process.exit(exitCode);
}

process.on('uncaughtException', (error) => {
  logs.logError('Uncaught Exception', error);
  fail(error, EXIT_UNCAUGHT_EXCEPTION);
});

process.on('unhandledRejection', (reason, promise) => {
  const error = new UnhandledPromiseRejection(reason, promise);
  logs.logError('Unhandled Promise Rejection', error);
  fail(error, EXIT_UNHANDLED_REJECTION);
});

process.on('beforeExit', () => {
  const next = loop.whenIdle;
  loop.whenIdle = () => {};
  next();
});

async function run() {
  api = openChannel();
  if (ahead.isAhead()) {
    await ahead.rehearse(loadHandler, serve);
    ahead.wait();
  }
  api = api || overHttp();
  logs.patchConsole();
  const handler = await loadHandler(process.env.LAMBDA_TASK_ROOT || '/var/task', process.env._HANDLER || '');
  for (;;) {
    const { headers, body } = await api.next();
    await serve(api, loop, handler, headers, body);
  }
}

run().catch((error) => {
  logs.logError('Uncaught Exception', error);
  fail(error, EXIT_UNCAUGHT_EXCEPTION);
});
