'use strict';
// Being started before it is known for which function.
//
// The platform hands over a socket in _LAMBDAD_ASSIGNMENT_FD. This side writes one byte once it is
// ready to be frozen; the other writes the variables of the function, each with a NUL behind it,
// and closes. Only then is there code in /var/task.

const fs = require('fs');

const VARIABLE = '_LAMBDAD_ASSIGNMENT_FD';
// What the process itself was told, at its start.
const KEPT = /^_LAMBDA(_TELEMETRY_LOG_FD$|D_)/;

// Takes the variables of the function that this process is for, if it was started ahead.
function wait() {
  const number = process.env[VARIABLE];
  if (number === undefined) return;
  delete process.env[VARIABLE];
  const descriptor = Number(number);
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

module.exports = { wait };
