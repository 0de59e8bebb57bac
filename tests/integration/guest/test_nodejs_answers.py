"""Answers of custom resources reach the address they are for, whatever tool sends them."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

import lambdad

ANSWERS = Path(lambdad.__file__).parent / "guest" / "nodejs" / "answers.cjs"
PROGRAM = """
const http = require('http');
const https = require('https');
const { expect } = require(process.argv[1]);

const got = [];
const server = http.createServer((request, response) => {
  got.push(`${request.method} ${request.url}`);
  response.end();
}).listen(0, '127.0.0.1', async () => {
  const url = `http://127.0.0.1:${server.address().port}/answer/1?a=b`;
  const path = '/answer/1?a=b';
  const headers = { 'content-length': 0 };
  const send = (...given) => new Promise((done) => {
    https.request(...given, (answer) => done(answer.resume().statusCode))
      .on('error', (error) => done(error.code)).end();
  });
  const said = [await send({ hostname: '127.0.0.1', port: server.address().port, path })];
  expect(url);
  expect('no address');
  expect({ not: 'text' });
  said.push(await send({ hostname: '127.0.0.1', path, method: 'PUT', headers }));
  said.push(await send({ hostname: '127.0.0.1', port: 443, path, method: 'PUT', headers }));
  said.push(await send({ protocol: 'https:', host: '127.0.0.1', path, method: 'PUT', headers }));
  said.push(await send(`https://127.0.0.1${path}`, { method: 'PUT', headers }));
  said.push(await send(new URL(`https://127.0.0.1${path}`), { method: 'PUT', headers }));
  const { request } = await import('https');
  said.push(request === https.request);
  said.push(await send({ hostname: '127.0.0.1', port: server.address().port, path: '/other' }));
  console.log(JSON.stringify({ said, got }));
  server.close();
});
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_what_is_sent_by_https_goes_to_the_address_that_was_given() -> None:
    done = subprocess.run(
        ["node", "-e", PROGRAM, str(ANSWERS)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    # Before it knows of an address, and for every other one, HTTPS is HTTPS.
    first, *answers, imported, last = found["said"]
    assert isinstance(first, str)
    assert isinstance(last, str)
    assert imported is True
    assert answers == [200] * 5
    assert found["got"] == ["PUT /answer/1?a=b"] * 5
