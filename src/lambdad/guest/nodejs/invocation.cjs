'use strict';
// One event: call the handler, wait for its answer in any of the ways it may give one, post it.

const { NodeJsExit, RESPONSE_TOO_LARGE, describe } = require('./errors.cjs');
const { contextOf } = require('./context.cjs');
const { NODE_MAJOR } = require('./loader.cjs');
const logs = require('./logs.cjs');
const streaming = require('./streaming.cjs');

const JSON_TYPE = 'application/json';
const TOO_LARGE = 413;
// AWS: from nodejs24.x on there is no callback, no context.done and no waiting for the loop.
const WITH_CALLBACKS = NODE_MAJOR < 24;

const isPromise = (value) => Boolean(value) && typeof value.then === 'function';

// Serves one event and resolves when the next may be asked for.
async function serve(api, loop, handler, headers, body) {
  const requestId = headers['lambda-runtime-aws-request-id'];
  loop.requestId = requestId;
  logs.current.requestId = requestId;
  logs.current.tenantId = headers['lambda-runtime-aws-tenant-id'];
  let outcome;
  try {
    if (streaming.isStreaming(handler)) {
      const failed = (error) => logs.logError('Invoke Error', error);
      await streaming.run(api, handler, headers, body, { describe, failed });
      return;
    }
    outcome = await answer(loop, handler, headers, body);
  } catch (error) {
    logs.logError('Invoke Error', error);
    await api.fail(requestId, describe(error));
    return;
  } finally {
    loop.whenIdle = () => {};
  }
  if ((await api.respond(requestId, outcome.body, outcome.contentType)) === TOO_LARGE) {
    await api.fail(requestId, RESPONSE_TOO_LARGE);
  }
}

async function answer(loop, handler, headers, body) {
  const result = await settle(loop, handler, headers, body);
  return { body: serialise(result), contentType: JSON_TYPE };
}

function serialise(result) {
  let text;
  try {
    text = JSON.stringify(result === undefined ? null : result);
  } catch {
    throw new Error('Unable to stringify response body');
  }
  return text === undefined ? 'null' : text;
}

// Resolves or rejects as soon as the handler has answered in one of its ways.
function settle(loop, handler, headers, body) {
  return new Promise((resolve, reject) => {
    const own = WITH_CALLBACKS ? callbacks(loop, resolve, reject) : { members: {} };
    const context = contextOf(headers, own.members);
    const event = JSON.parse(body.toString('utf8'));
    if (event?.ResponseURL) require('./answers.cjs').expect(event.ResponseURL);
    const result = WITH_CALLBACKS ? handler(event, context, own.callback) : handler(event, context);
    if (isPromise(result)) {
      loop.whenIdle = () => reject(neverSettled());
      result.then(resolve, (error) => reject(given(error)));
    } else if (!WITH_CALLBACKS) {
      resolve(result);
    } else if (!own.called()) {
      loop.whenIdle = () => resolve(null);
    }
  });
}

// AWS: rejecting with nothing, like `context.fail()`, counts as the error "handled".
const given = (error) => (error === undefined || error === null ? 'handled' : error);

function neverSettled() {
  return new NodeJsExit(
    'The Lambda runtime client detected an unexpected Node.js exit code. This is most commonly ' +
      'caused by a Promise that was never settled.',
  );
}

function callbacks(loop, resolve, reject) {
  let called = false;
  let waits = true;
  const once =
    (action) =>
    (...values) => {
      if (called) return;
      called = true;
      action(...values);
    };
  const callback = once((error, result) => {
    if (error !== undefined && error !== null) reject(error);
    else if (waits) loop.whenIdle = () => resolve(result);
    else resolve(result);
  });
  const members = {
    get callbackWaitsForEmptyEventLoop() {
      return waits;
    },
    set callbackWaitsForEmptyEventLoop(value) {
      waits = value;
    },
    succeed: once((result) => resolve(result)),
    fail: once((error) => reject(given(error))),
    done: once((error, result) => (error !== undefined && error !== null ? reject(error) : resolve(result))),
  };
  return { callback, members, called: () => called };
}

module.exports = { serve };
