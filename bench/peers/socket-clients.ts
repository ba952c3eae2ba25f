/**
 * Many clients of one Socket.IO, which speak as little of its protocol as they can, so that the server is what is measured. `POST /connect`
 * with `{ url, count, token, room }` answers when all are in the room; `GET /wait?count=n` when each has been told n events since the last
 * `GET /reset`, with the arguments of the last one.
 */
import { createServer, type ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { WebSocket } from 'ws';

const EVENT = '42["event",';
/** So many connect at once. */
const AT_ONCE = 50;

interface Order {
  url: string;
  count: number;
  token: string;
  room: string;
}

let told = 0;
let clients = 0;
let last = '';
let waiting: { count: number; response: ServerResponse } | undefined;

function connect({ url, token, room }: Order): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/socket.io/?EIO=4&transport=websocket`, {
      perMessageDeflate: false,
    });
    socket.once('error', reject);
    socket.once('close', () => {
      clients -= 1;
      reject(new Error('a client was cut off'));
    });
    socket.on('message', (data: Buffer) => {
      // Most messages are events: they are told by their first bytes, and only the last one is read.
      if (data[1] === 0x32 && data[2] === 0x5b) {
        told += 1;
        if (waiting && told >= waiting.count * clients) {
          last = data.toString().slice(EVENT.length - 1);
          answer();
        }
        return;
      }
      const text = data.toString();
      if (text === '2') socket.send('3');
      else if (text.startsWith('0')) socket.send(`40${JSON.stringify({ token })}`);
      else if (text.startsWith('40')) socket.send(`420["subscribe",{"rooms":["${room}"]}]`);
      else if (text.startsWith('430[{"')) {
        if (!text.includes('"success":true')) reject(new Error(text));
        clients += 1;
        resolve();
      } else if (text.startsWith('44')) reject(new Error(text));
    });
  });
}

async function connectAll(order: Order): Promise<void> {
  for (let left = order.count; left > 0; left -= AT_ONCE)
    await Promise.all(Array.from({ length: Math.min(left, AT_ONCE) }, () => connect(order)));
}

function answer(): void {
  if (!waiting || told < waiting.count * clients) return;
  waiting.response.end(JSON.stringify({ clients, told, last }));
  waiting = undefined;
}

const server = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://clients');
  if (url.pathname === '/connect') {
    json(request)
      .then((order) => connectAll(order as Order))
      .then(
        () => response.end(String(clients)),
        (error: unknown) => response.writeHead(500).end(String(error)),
      );
    return;
  }
  if (url.pathname === '/wait') {
    waiting = { count: Number(url.searchParams.get('count')), response };
    answer();
    return;
  }
  if (url.pathname === '/reset') told = 0;
  response.end();
});
server.listen(Number(process.env.PORT), '127.0.0.1');
