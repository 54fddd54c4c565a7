'use strict';

// An echo over WebSocket (RFC 6455), by hand: apps in the examples have no dependencies.

const { createHash } = require('node:crypto');

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const CLOSE = 8;
const PING = 9;
const PONG = 10;

/** Completes the handshake and echoes every frame until one side closes. */
function accept(request, socket, head, headers) {
  const key = request.headers['sec-websocket-key'];
  if (!key) {
    socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n');
    return null;
  }
  const answer = createHash('sha1').update(key + GUID).digest('base64');
  const extra = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n' +
      `sec-websocket-accept: ${answer}\r\n${extra.join('')}\r\n`,
  );
  socket.setNoDelay(true);

  let received = head;
  let closing = false;

  const close = (payload) => {
    if (closing) return;
    closing = true;
    socket.write(frame(0x80 | CLOSE, payload));
    // A peer that does not answer is not waited for.
    setTimeout(() => socket.destroy(), 2000).unref();
  };

  const read = () => {
    for (let next; (next = parse(received)); ) {
      received = received.subarray(next.end);
      const opcode = next.first & 0x0f;
      if (opcode === CLOSE) {
        close(next.payload.subarray(0, 2));
        return socket.end();
      }
      if (opcode === PING) socket.write(frame(0x80 | PONG, next.payload));
      // Text, binary and their continuations go back as they came.
      else if (opcode !== PONG) socket.write(frame(next.first, next.payload));
    }
  };

  socket.on('data', (data) => {
    received = Buffer.concat([received, data]);
    read();
  });
  socket.on('end', () => socket.end());
  socket.on('error', () => socket.destroy());
  read();
  return { close: (code) => close(Buffer.from([code >> 8, code & 0xff])) };
}

/** The first whole frame in `bytes`, unmasked; nothing while it is incomplete. */
function parse(bytes) {
  if (bytes.length < 2) return null;
  let length = bytes[1] & 0x7f;
  let at = 2;
  if (length === 126) {
    if (bytes.length < 4) return null;
    length = bytes.readUInt16BE(2);
    at = 4;
  } else if (length === 127) {
    if (bytes.length < 10) return null;
    length = Number(bytes.readBigUInt64BE(2));
    at = 10;
  }
  const masked = bytes[1] & 0x80;
  const end = at + (masked ? 4 : 0) + length;
  if (bytes.length < end) return null;
  const payload = Buffer.from(bytes.subarray(end - length, end));
  if (masked) for (let i = 0; i < length; i++) payload[i] ^= bytes[at + (i & 3)];
  return { first: bytes[0], payload, end };
}

function frame(first, payload) {
  const length = payload.length;
  let head;
  if (length < 126) {
    head = Buffer.from([first, length]);
  } else if (length < 65536) {
    head = Buffer.from([first, 126, length >> 8, length & 0xff]);
  } else {
    head = Buffer.alloc(10);
    head[0] = first;
    head[1] = 127;
    head.writeBigUInt64BE(BigInt(length), 2);
  }
  return Buffer.concat([head, payload]);
}

module.exports = { accept };
