'use strict';
// Handlers wrapped in `awslambda.streamifyResponse`. What they write is collected and answered
// at once: the platform has no streaming answers yet, and this is the place where they begin.

const { contextOf } = require('./context.cjs');

const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const PRELUDE_TYPE = 'application/vnd.awslambda.http-integration-response';
const PRELUDE_END = Buffer.alloc(8);

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
    streamifyResponse(handler) {
      handler[STREAMING] = 'response';
      return handler;
    },
    HttpResponseStream,
  };
}

function collector() {
  const { Writable } = require('stream');
  const chunks = [];
  const stream = new Writable({
    write(chunk, encoding, done) {
      chunks.push(Buffer.from(chunk, encoding));
      done();
    },
  });
  const write = stream.write.bind(stream);
  stream.write = (chunk, ...rest) => {
    const plain = typeof chunk === 'string' || chunk instanceof Uint8Array;
    return write(plain ? chunk : JSON.stringify(chunk), ...rest);
  };
  stream.contentType = 'application/octet-stream';
  stream.setContentType = (value) => {
    stream.contentType = value;
  };
  stream.collected = () => Buffer.concat(stream.prelude ? [stream.prelude, ...chunks] : chunks);
  return stream;
}

// Runs a streaming handler to its end and gives everything it wrote.
async function run(_loop, handler, headers, body) {
  const stream = collector();
  const finished = new Promise((resolve, reject) => {
    stream.once('finish', resolve);
    stream.once('error', reject);
  });
  finished.catch(() => {});
  const returned = handler(JSON.parse(body.toString('utf8')), stream, contextOf(headers, {}));
  if (!returned || typeof returned.then !== 'function') {
    throw new Error('Streaming does not support non-async handlers.');
  }
  await returned;
  if (!stream.writableEnded) throw new Error('Response stream is not finished.');
  await finished;
  return { body: stream.collected(), contentType: stream.contentType };
}

module.exports = { install, isStreaming, run };
