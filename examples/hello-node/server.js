'use strict';

const { createHash } = require('node:crypto');
const { createServer } = require('node:http');
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const websocket = require('./ws');

const VERSION = version();
const PORT = Number(process.env.PORT || 3000);

function version() {
  try {
    return readFileSync(join(__dirname, 'version.txt'), 'utf8').trim();
  } catch {
    return require('./package.json').version;
  }
}

function text(response, status, body) {
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
}

/** Tells of a variable without showing it. */
function variable(response, name) {
  const value = process.env[name];
  if (value === undefined) return text(response, 404, 'not set\n');
  text(response, 200, createHash('sha256').update(value).digest('hex'));
}

function slow(response, milliseconds) {
  setTimeout(() => text(response, 200, `waited ${milliseconds} ms version=${VERSION}\n`), milliseconds);
}

function echo(request, response) {
  response.writeHead(200, { 'content-type': request.headers['content-type'] || 'application/octet-stream' });
  request.pipe(response);
}

const server = createServer((request, response) => {
  const url = new URL(request.url, 'http://app');
  response.setHeader('x-version', VERSION);
  // A visitor who keeps the connection would keep this process from ending.
  if (stopping) response.setHeader('connection', 'close');

  if (request.method === 'POST' && url.pathname === '/echo') return echo(request, response);
  if (request.method !== 'GET' && request.method !== 'HEAD') return text(response, 405, 'method not allowed\n');
  if (url.pathname === '/') return text(response, 200, `Hello from NanoScale (node) version=${VERSION}\n`);
  if (url.pathname === '/healthz') return text(response, 200, 'ok\n');
  if (url.pathname === '/slow') return slow(response, Number(url.searchParams.get('ms') || 1000));
  if (url.pathname.startsWith('/env/')) return variable(response, url.pathname.slice('/env/'.length));
  text(response, 404, 'not found\n');
});

const sockets = new Set();

server.on('upgrade', (request, socket, head) => {
  if (request.url !== '/ws' || stopping) return socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n');
  const connection = websocket.accept(request, socket, head, { 'x-version': VERSION });
  if (!connection) return;
  sockets.add(connection);
  socket.on('close', () => sockets.delete(connection));
});

let stopping = false;

process.on('SIGTERM', () => {
  stopping = true;
  console.log('stopping');
  for (const connection of sockets) connection.close(1001);
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});

server.listen(PORT, '127.0.0.1', () => console.log(`hello-node ${VERSION} listens on port ${PORT}`));
