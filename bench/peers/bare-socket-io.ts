/** A bare Socket.IO: whoever says `subscribe` is in one room; `POST /?count=n` tells the room its own body, `[event, cursor]`, that often. */
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { Server } from 'socket.io';

const server = createServer((request, response) => {
  if (request.method !== 'POST') {
    response.end();
    return;
  }
  void text(request).then((body) => {
    const [event, cursor] = JSON.parse(body) as [unknown, string];
    const count = Number(new URL(request.url ?? '/', 'http://peer').searchParams.get('count'));
    for (let at = 0; at < count; at++) io.to('all').emit('event', event, cursor);
    response.end();
  });
});
const io = new Server(server, { serveClient: false });
io.on('connection', (socket) => {
  socket.on('subscribe', async (_message: unknown, answer: (data: object) => void) => {
    await socket.join('all');
    answer({ success: true, data: { cursor: '' } });
  });
});
server.listen(Number(process.env.PORT), '127.0.0.1');
