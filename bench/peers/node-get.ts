/**
 * Bare node:http: pread into one buffer, written to the socket and used again when the socket has taken it. No access
 * check, no ranges, no validators: the limit of what a Node server can do. BUFFER is its size in bytes.
 */
import { openSync, readSync, statSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';

const path = process.env.FILE ?? '';
const bufferSize = Number(process.env.BUFFER);
const size = statSync(path).size;
const file = openSync(path, 'r');

function send(response: ServerResponse): void {
  const buffer = Buffer.allocUnsafeSlow(bufferSize);
  let position = 0;
  const next = () => {
    const length = readSync(file, buffer, 0, bufferSize, position);
    position += length;
    if (position < size) response.write(buffer.subarray(0, length), next);
    else response.end(buffer.subarray(0, length));
  };
  next();
}

const server = createServer((_request, response) => {
  response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': size });
  send(response);
});
server.listen(Number(process.env.PORT), '127.0.0.1');
