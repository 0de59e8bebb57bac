'use strict';
// The Runtime API as frames over a descriptor that this process was born with; the same calls as
// over HTTP. An answer is kept until the next event is asked for: both are one system call.
//
// While the handler runs the socket does not hold the event loop, so that Node.js notices when
// the function has nothing left to do.

const fs = require('fs');
const net = require('net');

const VARIABLE = '_LAMBDAD_CHANNEL';
const HEAD_BYTES = 5;
const EVENT_BYTES = 19;
const EVENT_KIND = 69;
const KIND = { next: 78, response: 82, failure: 70, initFailure: 73, stream: 83, piece: 80, streamEnd: 90 };
const ACCEPTED = 202;
const MAX_PIECE = 512 * 1024;
const MAX_TEXT = 255;
// The platform takes 64 KiB of an error that breaks a stream off: its stack is not worth the answer.
const MAX_STREAM_ERROR = 32 * 1024;
const NOTHING = Buffer.alloc(0);

// Gives the channel, if there is one; its variable is not for the function to see.
function openChannel() {
  const number = process.env[VARIABLE];
  delete process.env[VARIABLE];
  if (number === undefined) return null;
  try {
    if (!fs.fstatSync(Number(number)).isSocket()) return null;
    return new Channel(Number(number));
  } catch {
    return null; // a wrapper script has closed it
  }
}

function frame(kind, head, size) {
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + head.length);
  bytes.writeUInt32BE(head.length + size, 0);
  bytes[4] = kind;
  head.copy(bytes, HEAD_BYTES);
  return bytes;
}

function texts(id, type) {
  const short = Buffer.from(String(type).slice(0, MAX_TEXT), 'latin1');
  const head = Buffer.alloc(2 + id.length + short.length);
  head[0] = id.length;
  head[1] = short.length;
  head.write(id, 2, 'latin1');
  short.copy(head, 2 + id.length);
  return head;
}

function streamError(document) {
  const text = JSON.stringify(document);
  if (text.length <= MAX_STREAM_ERROR) return Buffer.from(text);
  const { errorType, errorMessage } = document;
  return Buffer.from(JSON.stringify({ errorType, errorMessage: String(errorMessage).slice(0, 1024) }));
}

class Channel {
  constructor(descriptor) {
    this.kept = []; // what goes out with the question for the next event
    this.waiting = null; // resolves the event that is expected
    this.streaming = false;
    this.chunks = [];
    this.size = 0;
    this.wanted = HEAD_BYTES;
    const socket = new net.Socket({ fd: descriptor, readable: true, writable: true });
    socket.on('data', (chunk) => this.receive(chunk));
    socket.on('error', () => {
      // 'close' follows, after what was already received.
    });
    socket.on('close', () => process.exit(1)); // the platform has given this environment up
    socket.unref();
    this.socket = socket;
  }

  // Whether an event is awaited or an answer under way, so that nothing else can be sent.
  get busy() {
    return this.waiting !== null || this.streaming || this.kept.length > 0;
  }

  // Waits for the next event; gives its headers, as over HTTP, and its bytes.
  next() {
    return new Promise((resolve) => {
      this.waiting = resolve;
      this.socket.ref();
      this.send([...this.kept, frame(KIND.next, NOTHING, 0)]);
      this.kept = [];
    });
  }

  // Answers an invocation; what is too large the platform says itself.
  respond(requestId, body) {
    const bytes = Buffer.from(body);
    const head = Buffer.alloc(1 + requestId.length);
    head[0] = requestId.length;
    head.write(requestId, 1, 'latin1');
    this.kept = [frame(KIND.response, head, bytes.length), bytes];
    return ACCEPTED;
  }

  fail(requestId, document) {
    return this.sendError(KIND.failure, requestId, document);
  }

  failInit(document) {
    return this.sendError(KIND.initFailure, '', document);
  }

  // Resolves when it is sent: the process may end right after.
  sendError(kind, requestId, document) {
    const bytes = Buffer.from(JSON.stringify(document));
    const head = frame(kind, texts(requestId, document.errorType), bytes.length);
    return new Promise((resolve) => {
      this.send([head, bytes], () => resolve(ACCEPTED));
    });
  }

  // Begins an answer that is sent while it is made. `end` resolves once all of it is sent; given
  // an error it breaks the answer off and says why.
  stream(requestId, contentType) {
    this.streaming = true;
    this.socket.ref();
    this.send([frame(KIND.stream, texts(requestId, contentType), 0)]);
    return {
      // Calls `done` when the platform takes more: it takes no more than its caller does.
      write: (chunk, done) => {
        const parts = [];
        for (let start = 0; start < chunk.length; start += MAX_PIECE) {
          const piece = chunk.subarray(start, start + MAX_PIECE);
          parts.push(frame(KIND.piece, NOTHING, piece.length), piece);
        }
        this.send(parts, done);
      },
      end: (document) =>
        new Promise((resolve) => {
          const bytes = document === undefined ? NOTHING : streamError(document);
          const head = texts('', document === undefined ? '' : document.errorType || 'Error');
          this.send([frame(KIND.streamEnd, head, bytes.length), bytes], () => {
            this.streaming = false;
            this.socket.unref();
            resolve();
          });
        }),
    };
  }

  send(parts, done) {
    const { socket } = this;
    if (parts.length === 1) {
      socket.write(parts[0], done);
      return;
    }
    socket.cork();
    parts.forEach((part, index) => socket.write(part, index === parts.length - 1 ? done : undefined));
    socket.uncork();
  }

  receive(chunk) {
    this.chunks.push(chunk);
    this.size += chunk.length;
    if (this.size < this.wanted) return;
    const data = this.chunks.length > 1 ? Buffer.concat(this.chunks, this.size) : this.chunks[0];
    this.chunks = [data];
    this.wanted = HEAD_BYTES + data.readUInt32BE(0);
    if (this.size < this.wanted) return;
    if (data[4] !== EVENT_KIND) process.exit(1);
    const event = parseEvent(data, this.wanted);
    this.chunks = this.size > this.wanted ? [data.subarray(this.wanted)] : [];
    this.size -= this.wanted;
    this.wanted = HEAD_BYTES;
    const { waiting } = this;
    this.waiting = null;
    this.socket.unref();
    if (waiting !== null) waiting(event);
  }
}

function parseEvent(data, end) {
  const headers = { 'lambda-runtime-deadline-ms': String(data.readBigUInt64BE(HEAD_BYTES)) };
  let start = HEAD_BYTES + EVENT_BYTES;
  const lengths = [data[13], data.readUInt16BE(14), data.readUInt16BE(16), data.readUInt32BE(18), data.readUInt16BE(22)];
  const names = [
    'lambda-runtime-aws-request-id',
    'lambda-runtime-invoked-function-arn',
    'lambda-runtime-trace-id',
    'lambda-runtime-client-context',
    'lambda-runtime-aws-tenant-id',
  ];
  names.forEach((name, index) => {
    const stop = start + lengths[index];
    if (stop > start) headers[name] = data.toString('utf8', start, stop);
    start = stop;
  });
  return { headers, body: data.subarray(start, end) };
}

module.exports = { openChannel };
