/** A bare loop of undici: `POST /?url=…&count=…` sends its own body that often, 16 at a time, and answers when all were answered. */
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { Agent, request as send } from 'undici';

const CONCURRENCY = 16;
const dispatcher = new Agent({ pipelining: 1 });

const server = createServer((request, response) => {
  const { searchParams } = new URL(request.url ?? '/', 'http://peer');
  const url = searchParams.get('url');
  if (url === null) {
    response.end();
    return;
  }
  void text(request).then(async (body) => {
    let left = Number(searchParams.get('count'));
    const worker = async (): Promise<void> => {
      while (left-- > 0) {
        const answer = await send(url, {
          ...{ method: 'POST', body, dispatcher },
          headers: { 'content-type': 'application/json' },
        });
        await answer.body.dump();
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, worker));
    response.end();
  });
});
server.listen(Number(process.env.PORT), '127.0.0.1');
