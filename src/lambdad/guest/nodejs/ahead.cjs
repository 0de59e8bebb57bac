'use strict';
// Being started before it is known for which function.
//
// The platform hands over a socket in _LAMBDAD_ASSIGNMENT_FD. This side writes one byte once it is
// ready to be frozen; the other writes the variables of the function, each with a NUL behind it,
// and closes. Only then is there code in /var/task.

const fs = require('fs');
const net = require('net');
const path = require('path');
const { forget } = require('./context.cjs');
const { current } = require('./logs.cjs');

const VARIABLE = '_LAMBDAD_ASSIGNMENT_FD';
// What the process itself was told, at its start.
const KEPT = /^_LAMBDA(_TELEMETRY_LOG_FD$|D_)/;

const isAhead = () => process.env[VARIABLE] !== undefined;

// Does what every cold start does, so that its code is compiled by then. `loadHandler` and `serve`
// are those of the function to come.
async function rehearse(loadHandler, serve) {
  const handler = await loadHandler(__dirname, `${path.basename(__filename, '.cjs')}.rehearsed`);
  const headers = { 'lambda-runtime-aws-request-id': '', 'lambda-runtime-deadline-ms': '0' };
  const api = { respond: async () => 202, fail: async () => {} };
  for (let times = 0; times < 3; times += 1) {
    await serve(api, { whenIdle: () => {} }, handler, headers, Buffer.from('{"key":["value",1]}'));
  }
  delete require.cache[__filename];
  forget();
  Object.assign(current, { requestId: undefined, tenantId: undefined });
  await converse();
}

// What a channel needs of streams and sockets, with nobody but itself.
function converse() {
  return new Promise((done) => {
    const server = net.createServer((socket) => socket.on('data', (chunk) => socket.end(chunk)));
    server.listen(0, '127.0.0.1', () => {
      const socket = net.connect(server.address().port, '127.0.0.1', () => socket.write('x'));
      socket.on('data', () => {});
      socket.on('close', () => server.close(done));
    });
  });
}

// Takes the variables of the function that this process is for.
function wait() {
  const descriptor = Number(process.env[VARIABLE]);
  delete process.env[VARIABLE];
  fs.writeSync(descriptor, '\0');
  const text = readAll(descriptor);
  fs.closeSync(descriptor);
  if (text === '') process.exit(0); // the platform needs the memory for something else
  for (const name of Object.keys(process.env)) {
    if (!KEPT.test(name)) delete process.env[name];
  }
  for (const pair of text.slice(0, -1).split('\0')) {
    const end = pair.indexOf('=');
    process.env[pair.slice(0, end)] = pair.slice(end + 1);
  }
  process.chdir(process.env.LAMBDA_TASK_ROOT);
}

function readAll(descriptor) {
  const chunks = [];
  for (;;) {
    const chunk = Buffer.allocUnsafe(65536);
    const size = fs.readSync(descriptor, chunk);
    if (size === 0) return Buffer.concat(chunks).toString();
    chunks.push(chunk.subarray(0, size));
  }
}

module.exports = { isAhead, rehearse, rehearsed: async (event) => event, wait };
