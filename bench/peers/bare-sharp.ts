/** Bare node:http around sharp as it comes: its own threads, its default effort, no cache, no limits. FILE is the picture. */
import { createServer } from 'node:http';
import sharp from 'sharp';

const path = process.env.FILE ?? '';

const server = createServer((request, response) => {
  const width = Number(new URL(request.url ?? '/', 'http://peer').searchParams.get('w'));
  if (width === 0) {
    // Whoever waits for the server asks for nothing.
    response.end();
    return;
  }
  sharp(path)
    .resize(width)
    .webp({ quality: 80 })
    .toBuffer()
    .then(
      (bytes) => response.writeHead(200, { 'Content-Type': 'image/webp', 'Content-Length': bytes.length }).end(bytes),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
});
server.listen(Number(process.env.PORT), '127.0.0.1');
