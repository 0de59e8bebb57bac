'use strict';
// Handlers wrapped in `awslambda.streamifyResponse`: what they write is sent as they write it.

const { contextOf } = require('./context.cjs');

const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const PRELUDE_TYPE = 'application/vnd.awslambda.http-integration-response';
const PRELUDE_END = Buffer.alloc(8);
const HIGH_WATER_MARK_OF = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark');
const HIGH_WATER_MARK = 64 * 1024;

const isStreaming = (handler) => handler[STREAMING] === 'response';

const HttpResponseStream = {
  // Gives a stream that starts with status, headers and cookies.
  from(stream, prelude) {
    stream.setContentType(PRELUDE_TYPE);
    stream.prelude = Buffer.concat([Buffer.from(JSON.stringify(prelude)), PRELUDE_END]);
    return stream;
  },
};

function install(scope) {
  scope.awslambda = {
    // `options.highWaterMark`: how many bytes a handler may be ahead of its caller before
    // `write` tells it to wait.
    streamifyResponse(handler, options) {
      handler[STREAMING] = 'response';
      if (typeof options === 'object' && options !== null && options.highWaterMark !== undefined) {
        handler[HIGH_WATER_MARK_OF] = parseInt(options.highWaterMark, 10);
      }
      return handler;
    },
    HttpResponseStream,
  };
}

// A stream to the caller. Nothing is sent before the first write, so that a handler may still
// fail as if it did not stream, or choose the content type.
function responseStream(api, requestId, highWaterMark = HIGH_WATER_MARK) {
  const { Writable } = require('stream');
  let sender = null;
  const begin = () => {
    if (sender === null) {
      sender = api.stream(requestId, stream.contentType);
      if (stream.prelude) sender.write(stream.prelude, () => {});
    }
    return sender;
  };
  const stream = new Writable({
    highWaterMark,
    write(chunk, encoding, done) {
      const bytes = Buffer.from(chunk, encoding);
      if (bytes.length > 0) begin().write(bytes, done);
      else done();
    },
  });
  const write = stream.write.bind(stream);
  stream.write = (chunk, ...rest) => {
    const plain = typeof chunk === 'string' || chunk instanceof Uint8Array;
    return write(plain ? chunk : JSON.stringify(chunk), ...rest);
  };
  stream.contentType = 'application/octet-stream';
  stream.setContentType = (value) => {
    stream.contentType = String(value);
  };
  stream.begun = () => sender !== null;
  stream.conclude = (document) => begin().end(document);
  return stream;
}

// Runs a streaming handler to its end. Rejects when it failed before it wrote anything; a later
// failure breaks the answer off, is told to `failed`, and described by `describe`.
async function run(api, handler, headers, body, { describe, failed }) {
  const stream = responseStream(api, headers['lambda-runtime-aws-request-id'], handler[HIGH_WATER_MARK_OF]);
  const finished = new Promise((resolve, reject) => {
    stream.once('finish', resolve);
    stream.once('error', reject);
  });
  finished.catch(() => {});
  try {
    const returned = handler(JSON.parse(body.toString('utf8')), stream, contextOf(headers, {}));
    if (!returned || typeof returned.then !== 'function') {
      throw new Error('Streaming does not support non-async handlers.');
    }
    await returned;
    if (!stream.writableEnded) throw new Error('Response stream is not finished.');
    await finished;
  } catch (error) {
    if (!stream.begun()) throw error;
    failed(error);
    await stream.conclude(describe(error));
    return;
  }
  await stream.conclude();
}

module.exports = { install, isStreaming, run };
