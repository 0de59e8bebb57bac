'use strict';
// Custom resources answer at the address in their event. What deploy tools ship for them takes host
// and path from it and sends by HTTPS to port 443, whatever the address says. Where it says plain
// HTTP, requests to that host and path go to where it points.

const http = require('http');
const https = require('https');

let address;
let byHttps;

// Takes the address of the event that comes next.
function expect(text) {
  if (typeof text !== 'string' || !text.startsWith('http://')) return;
  const parsed = parse(text);
  if (parsed === undefined) return;
  address = parsed;
  if (byHttps !== undefined) return;
  byHttps = https.request;
  https.request = request;
  require('module').syncBuiltinESMExports();
}

// Not URL.canParse: Node.js 16 has none.
function parse(text) {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

function request(...given) {
  const [target, ...others] = given;
  if (!isMeant(target)) return byHttps.apply(https, given);
  if (typeof target === 'string' || target instanceof URL) return http.request(address, ...others);
  const { protocol, agent, host, ...options } = target;
  return http.request({ ...options, hostname: address.hostname, port: address.port }, ...others);
}

function isMeant(target) {
  const path = address.pathname + address.search;
  if (typeof target === 'string') return isMeant(parse(target));
  if (target instanceof URL) {
    return target.hostname === address.hostname && target.pathname + target.search === path;
  }
  const host = target?.hostname ?? target?.host;
  return host === address.hostname && target.path === path;
}

module.exports = { expect };
