'use strict';
// The console of a function: each call is one record with time, request id and level.
//
// Framed records go to the descriptor in _LAMBDA_TELEMETRY_LOG_FD, so that one of several lines
// stays one log event; without it they go to standard output with their lines joined.

const fs = require('fs');
const { format } = require('util');
const { describe } = require('./errors.cjs');

const LEVELS = Object.freeze({
  TRACE: { name: 'TRACE', priority: 1, frame: 0x04 },
  DEBUG: { name: 'DEBUG', priority: 2, frame: 0x08 },
  INFO: { name: 'INFO', priority: 3, frame: 0x0c },
  WARN: { name: 'WARN', priority: 4, frame: 0x10 },
  ERROR: { name: 'ERROR', priority: 5, frame: 0x14 },
  FATAL: { name: 'FATAL', priority: 6, frame: 0x18 },
});
const TEXT_FRAME = 0xa55a0003;
const JSON_FRAME = 0xa55a0002;

// The invocation that records belong to; set for each event.
const current = { requestId: undefined, tenantId: undefined };

let asJson = false;

function textRecord(level, time, values) {
  return `${time}\t${current.requestId}\t${level.name}\t${format(...values)}`;
}

function errorFields(error) {
  return {
    errorType: (error.constructor && error.constructor.name) || 'UnknownError',
    errorMessage: error.message,
    stackTrace: typeof error.stack === 'string' ? error.stack.split('\n') : [],
  };
}

function jsonRecord(level, time, values) {
  const record = { timestamp: time, level: level.name, requestId: current.requestId };
  if (current.tenantId !== undefined) record.tenantId = current.tenantId;
  if (values.length === 1) {
    record.message = values[0];
    try {
      return JSON.stringify(record, (_key, value) =>
        value instanceof Error ? { ...errorFields(value), ...value } : value,
      );
    } catch {
      // A cycle or a BigInt: as text then.
      record.message = format(values[0]);
      return JSON.stringify(record);
    }
  }
  record.message = format(...values);
  const error = values.find((value) => value instanceof Error);
  return JSON.stringify(error === undefined ? record : { ...record, ...errorFields(error) });
}

function stdoutWriter() {
  // One line is one log event, so a record may not have more.
  return (text) => process.stdout.write(`${text.replace(/\n/g, '\r')}\n`);
}

function framedWriter(descriptor) {
  return (text, level, now) => {
    // AWS ends text records with a line break, and JSON ones not.
    const message = Buffer.from(asJson ? text : `${text}\n`);
    const frame = Buffer.alloc(16 + message.length);
    frame.writeUInt32BE(((asJson ? JSON_FRAME : TEXT_FRAME) | level.frame) >>> 0, 0);
    frame.writeUInt32BE(message.length, 4);
    frame.writeBigInt64BE(BigInt(now.valueOf()) * 1000n, 8);
    message.copy(frame, 16);
    for (let sent = 0; sent < frame.length; ) sent += fs.writeSync(descriptor, frame, sent);
  };
}

function openWriter() {
  const descriptor = process.env._LAMBDA_TELEMETRY_LOG_FD;
  delete process.env._LAMBDA_TELEMETRY_LOG_FD;
  return /^\d+$/.test(descriptor || '') ? framedWriter(Number(descriptor)) : stdoutWriter();
}

function patchConsole() {
  asJson = (process.env.AWS_LAMBDA_LOG_FORMAT || '').toUpperCase() === 'JSON';
  const write = openWriter();
  const least = LEVELS[(process.env.AWS_LAMBDA_LOG_LEVEL || '').toUpperCase()] || LEVELS.TRACE;
  const method = (level) => {
    if (level.priority < least.priority) return () => {};
    return (...values) => {
      const now = new Date();
      write((asJson ? jsonRecord : textRecord)(level, now.toISOString(), values), level, now);
    };
  };
  console.trace = method(LEVELS.TRACE);
  console.debug = method(LEVELS.DEBUG);
  console.info = method(LEVELS.INFO);
  console.log = console.info;
  console.warn = method(LEVELS.WARN);
  console.error = method(LEVELS.ERROR);
  console.fatal = method(LEVELS.FATAL);
}

function intoError(value) {
  return value instanceof Error ? value : new Error(value);
}

function withProperties(_key, value) {
  if (!(value instanceof Error)) return value;
  const fields = { errorType: value.name, errorMessage: value.message, code: value.code, ...value };
  if (typeof value.stack === 'string') fields.stack = value.stack.split('\n');
  return fields;
}

// Logs a failure the way AWS's runtime does.
function logError(title, value) {
  const error = intoError(value);
  if (asJson) {
    console.error(error);
    return;
  }
  let text;
  try {
    text = JSON.stringify(error, withProperties);
  } catch {
    text = JSON.stringify(describe(error));
  }
  console.error(title, `\t${text}`);
}

module.exports = { current, logError, patchConsole };
