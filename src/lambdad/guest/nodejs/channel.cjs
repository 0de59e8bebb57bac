'use strict';
// The Runtime API as frames over pipes that this process was born with; the same calls as
// over HTTP. An answer is kept until the next event is asked for: both are one system call.
//
// While the handler runs the channel does not hold the event loop, so that Node.js notices when
// the function has nothing left to do.

const { fstatSync, writeSync } = require('fs');
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
const NEXT = frame(KIND.next, NOTHING, 0);
const READ_BYTES = 64 * 1024;

// Gives the channel, if there is one; its variable is not for the function to see.
function openChannel() {
  const announced = process.env[VARIABLE];
  delete process.env[VARIABLE];
  if (announced === undefined) return null;
  const [reads, writes] = announced.split(',').map(Number);
  try {
    if (!fstatSync(reads).isFIFO() || !fstatSync(writes).isFIFO()) return null;
    return new Channel(reads, writes);
  } catch {
    return null; // a wrapper script has closed them
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
  constructor(reads, writes) {
    this.kept = null; // an answer, and behind it the question for the next event
    this.waiting = null; // resolves the event that is expected
    this.streaming = false;
    this.chunks = [];
    this.size = 0;
    this.wanted = HEAD_BYTES;
    this.writes = writes;
    // One place for all that is read: what is left of it is copied.
    const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
    const callback = (size) => {
      this.receive(buffer, size);
      return true;
    };
    const source = new net.Socket({ fd: reads, readable: true, writable: false, onread: { buffer, callback } });
    const target = new net.Socket({ fd: writes, readable: false, writable: true });
    for (const stream of [source, target]) {
      stream.on('error', () => {
        // The source closes, after what was already received.
      });
      stream.unref();
    }
    source.on('close', () => process.exit(1)); // the platform has given this environment up
    this.source = source;
    this.target = target;
  }

  // Whether an event is awaited or an answer under way, so that nothing else can be sent.
  get busy() {
    return this.waiting !== null || this.streaming || this.kept !== null;
  }

  // Waits for the next event; gives its headers, as over HTTP, and its bytes.
  next() {
    return new Promise((resolve) => {
      this.waiting = resolve;
      this.source.ref();
      this.sendNow(this.kept === null ? NEXT : this.kept);
      this.kept = null;
    });
  }

  // Answers an invocation; what is too large the platform says itself.
  respond(requestId, body) {
    const length = 1 + requestId.length + Buffer.byteLength(body);
    const bytes = Buffer.allocUnsafe(HEAD_BYTES + length + NEXT.length);
    bytes.writeUInt32BE(length, 0);
    bytes[4] = KIND.response;
    bytes[5] = requestId.length;
    bytes.write(requestId, HEAD_BYTES + 1, 'latin1');
    bytes.write(body, HEAD_BYTES + 1 + requestId.length, 'utf8');
    NEXT.copy(bytes, HEAD_BYTES + length);
    this.kept = bytes;
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
    this.source.ref();
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
            this.source.unref();
            resolve();
          });
        }),
    };
  }

  send(parts, done) {
    const { target } = this;
    if (parts.length === 1) {
      target.write(parts[0], done);
      return;
    }
    target.cork();
    parts.forEach((part, index) => target.write(part, index === parts.length - 1 ? done : undefined));
    target.uncork();
  }

  // Past the stream, whose bookkeeping costs more than the system call; by it what does not fit.
  sendNow(bytes) {
    let sent = 0;
    if (this.target.writableLength === 0) {
      try {
        sent = writeSync(this.writes, bytes);
      } catch {
        // No room, or nobody there: the stream finds out.
      }
    }
    if (sent < bytes.length) this.target.write(bytes.subarray(sent));
  }

  receive(buffer, size) {
    if (this.size === 0 && size > HEAD_BYTES && HEAD_BYTES + buffer.readUInt32BE(0) === size) {
      this.deliver(buffer, size);
      return;
    }
    this.chunks.push(Buffer.from(buffer.subarray(0, size)));
    this.size += size;
    if (this.size < this.wanted) return;
    const data = this.chunks.length > 1 ? Buffer.concat(this.chunks, this.size) : this.chunks[0];
    this.chunks = [data];
    this.wanted = HEAD_BYTES + data.readUInt32BE(0);
    if (this.size < this.wanted) return;
    const { wanted } = this;
    this.chunks = this.size > wanted ? [data.subarray(wanted)] : [];
    this.size -= wanted;
    this.wanted = HEAD_BYTES;
    this.deliver(data, wanted);
  }

  deliver(data, end) {
    if (data[4] !== EVENT_KIND) process.exit(1);
    const event = parseEvent(data, end);
    const { waiting } = this;
    this.waiting = null;
    this.source.unref();
    if (waiting !== null) waiting(event);
  }
}

// Gives headers, as over HTTP, and the event as text: the bytes are the next event's before long.
function parseEvent(data, end) {
  const arn = HEAD_BYTES + EVENT_BYTES + data[13];
  const trace = arn + data.readUInt16BE(14);
  const client = trace + data.readUInt16BE(16);
  const tenant = client + data.readUInt32BE(18);
  const body = tenant + data.readUInt16BE(22);
  const headers = {
    'lambda-runtime-deadline-ms': data.readUInt32BE(HEAD_BYTES) * 2 ** 32 + data.readUInt32BE(HEAD_BYTES + 4),
    'lambda-runtime-aws-request-id': data.toString('latin1', HEAD_BYTES + EVENT_BYTES, arn),
    'lambda-runtime-invoked-function-arn': data.toString('utf8', arn, trace),
    'lambda-runtime-trace-id': data.toString('utf8', trace, client),
    'lambda-runtime-client-context': client === tenant ? undefined : data.toString('utf8', client, tenant),
    'lambda-runtime-aws-tenant-id': tenant === body ? undefined : data.toString('utf8', tenant, body),
  };
  return { headers, body: data.toString('utf8', body, end) };
}

module.exports = { openChannel };
