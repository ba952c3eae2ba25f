/** Bare node:http: the body of a request is piped to a file. Neither synced nor hashed. */
import { createWriteStream, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream';

const root = process.env.ROOT ?? '';

const server = createServer({ requestTimeout: 0 }, (request, response) => {
  const file = join(root, basename(request.url ?? '') || 'empty');
  if (request.method === 'DELETE') {
    rmSync(file, { force: true });
    response.writeHead(204).end();
    return;
  }
  if (request.method !== 'PUT') {
    response.writeHead(405).end();
    return;
  }
  pipeline(request, createWriteStream(file), (error) => response.writeHead(error ? 500 : 201).end());
});
server.listen(Number(process.env.PORT), '127.0.0.1');
