/** Takes POSTs and says 204. `GET /wait?count=n` answers when n have come since the last `GET /reset`; with the last body and when it came. */
import { createServer, type ServerResponse } from 'node:http';

let count = 0;
let last = { at: 0, text: '' };
let waiting: { count: number; response: ServerResponse } | undefined;

const server = createServer((request, response) => {
  if (request.method === 'GET') {
    const url = new URL(request.url ?? '/', 'http://receiver');
    if (url.pathname === '/wait') waiting = { count: Number(url.searchParams.get('count')), response };
    else {
      if (url.pathname === '/reset') count = 0;
      response.end();
    }
    answer();
    return;
  }
  let text = '';
  request.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  request.on('end', () => {
    response.writeHead(204).end();
    count += 1;
    last = { at: performance.timeOrigin + performance.now(), text };
    answer();
  });
});
server.listen(Number(process.env.PORT), '127.0.0.1');

function answer(): void {
  if (!waiting || count < waiting.count) return;
  waiting.response.end(JSON.stringify({ count, ...last }));
  waiting = undefined;
}
