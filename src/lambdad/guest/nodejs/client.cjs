'use strict';
// The Runtime API over one keep-alive connection: a small HTTP client on a raw socket, which
// starts faster than the http module and costs less for each event.
//
// While the handler runs the socket does not hold the event loop, so that Node.js notices when
// the function has nothing left to do.

const net = require('net');

const PREFIX = '/2018-06-01/runtime/';
const END_OF_HEAD = Buffer.from('\r\n\r\n');

// Whatever a function calls its error, it cannot add header lines.
const plainType = (document) => String(document.errorType).replace(/[^A-Za-z0-9._]/g, '');

// The platform takes trailers up to 64 KiB: of a long error the stack is not worth the answer.
const MAX_TRAILER = 32 * 1024;

function errorTrailers(document) {
  let text = JSON.stringify(document);
  if (text.length > MAX_TRAILER) {
    const { errorType, errorMessage } = document;
    text = JSON.stringify({ errorType, errorMessage: String(errorMessage).slice(0, 1024) });
  }
  const encoded = Buffer.from(text).toString('base64');
  return (
    `Lambda-Runtime-Function-Error-Type: ${plainType(document)}\r\n` +
    `Lambda-Runtime-Function-Error-Body: ${encoded}\r\n`
  );
}

class RuntimeApi {
  constructor(address) {
    const colon = address.lastIndexOf(':');
    this.host = address.slice(0, colon);
    this.port = Number(address.slice(colon + 1));
    this.address = address;
    this.socket = null;
    this.waiting = null; // { resolve } of the answer that is expected
    this.chunks = [];
    this.size = 0;
    this.wanted = 0; // bytes of head and body together, once the head is known
    this.head = null;
  }

  // Whether an answer is awaited, so that nothing else can be sent.
  get busy() {
    return this.waiting !== null;
  }

  // Waits for the next event; gives its headers, names in lower case, and its bytes.
  async next() {
    const answer = await this.exchange(`GET ${PREFIX}invocation/next HTTP/1.1\r\nHost: ${this.address}\r\n\r\n`);
    if (answer.status !== 200) this.giveUp();
    return answer;
  }

  // Posts the answer of an invocation; gives the HTTP status: 202, or 413 when it is too large.
  respond(requestId, body, contentType) {
    return this.post(`invocation/${requestId}/response`, body, { 'Content-Type': contentType });
  }

  fail(requestId, document) {
    return this.postError(`invocation/${requestId}/error`, document);
  }

  failInit(document) {
    return this.postError('init/error', document);
  }

  postError(path, document) {
    return this.post(path, JSON.stringify(document), {
      'Content-Type': 'application/json',
      'Lambda-Runtime-Function-Error-Type': plainType(document),
    });
  }

  async post(path, body, headers) {
    const bytes = Buffer.from(body);
    let head = `POST ${PREFIX}${path} HTTP/1.1\r\nHost: ${this.address}\r\nContent-Length: ${bytes.length}\r\n`;
    for (const name of Object.keys(headers)) head += `${name}: ${headers[name]}\r\n`;
    const { status } = await this.exchange(`${head}\r\n`, bytes);
    return status;
  }

  // Begins an answer that is sent while it is made. `end` resolves once the platform has it all;
  // given an error it breaks the answer off and says why.
  stream(requestId, contentType) {
    const answered = this.exchange(
      `POST ${PREFIX}invocation/${requestId}/response HTTP/1.1\r\nHost: ${this.address}\r\n` +
        `Content-Type: ${contentType.replace(/[\r\n]/g, ' ')}\r\nTransfer-Encoding: chunked\r\n` +
        'Lambda-Runtime-Function-Response-Mode: streaming\r\n' +
        'Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n',
    );
    const socket = this.socket;
    return {
      // Calls `done` when the platform takes more: it takes no more than its caller does.
      write(chunk, done) {
        socket.cork();
        socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1');
        socket.write(chunk);
        socket.write('\r\n', 'latin1', done);
        socket.uncork();
      },
      end(document) {
        socket.write(`0\r\n${document === undefined ? '' : errorTrailers(document)}\r\n`, 'latin1');
        return answered;
      },
    };
  }

  exchange(head, body) {
    return new Promise((resolve) => {
      if (this.socket === null) this.connect();
      const socket = this.socket;
      this.waiting = (answer) => {
        socket.unref();
        resolve(answer);
      };
      socket.ref();
      socket.cork();
      socket.write(head, 'latin1');
      if (body !== undefined) socket.write(body);
      socket.uncork();
    });
  }

  connect() {
    const socket = net.connect({ host: this.host, port: this.port, noDelay: true });
    socket.on('data', (chunk) => this.receive(chunk));
    socket.on('error', () => {
      // 'close' follows, after what was already received.
    });
    socket.on('close', () => {
      if (this.socket === socket) this.giveUp();
    });
    this.socket = socket;
  }

  // The platform has given this environment up: nobody is left to be told more.
  giveUp() {
    process.exit(1);
  }

  receive(chunk) {
    this.chunks.push(chunk);
    this.size += chunk.length;
    if (this.head === null && !this.parseHead()) return;
    if (this.size < this.wanted) return;
    const data = this.joined();
    const { status, headers, start } = this.head;
    const answer = { status, headers, body: data.subarray(start, this.wanted) };
    this.chunks = this.size > this.wanted ? [data.subarray(this.wanted)] : [];
    this.size -= this.wanted;
    this.head = null;
    if (headers.connection === 'close') {
      const socket = this.socket;
      this.socket = null;
      socket.destroy();
    }
    const waiting = this.waiting;
    this.waiting = null;
    if (waiting !== null) waiting(answer);
  }

  joined() {
    if (this.chunks.length > 1) this.chunks = [Buffer.concat(this.chunks, this.size)];
    return this.chunks[0];
  }

  parseHead() {
    const data = this.joined();
    const end = data.indexOf(END_OF_HEAD);
    if (end < 0) return false;
    // Header values may be UTF-8: a client context is JSON text.
    const lines = data.toString('utf8', 0, end).split('\r\n');
    const headers = {};
    for (let index = 1; index < lines.length; index += 1) {
      const colon = lines[index].indexOf(':');
      headers[lines[index].slice(0, colon).toLowerCase()] = lines[index].slice(colon + 1).trim();
    }
    const start = end + END_OF_HEAD.length;
    this.head = { status: Number(lines[0].split(' ', 2)[1]), headers, start };
    this.wanted = start + Number(headers['content-length'] || 0);
    return true;
  }
}

module.exports = { RuntimeApi };
