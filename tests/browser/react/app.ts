import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { build } from 'esbuild';

/** Serves the page as an app would, and answers as the backend of a file router does. */
export interface ReactApp {
  readonly url: string;
  /** What came to the route. */
  readonly asked: { slug: string | null; body: unknown }[];
  /** Gives addresses for the files that somebody wants to upload. */
  sign: (files: { name: string; size: number; type: string }[]) => unknown;
  close(): Promise<void>;
}

export async function startReactApp(): Promise<ReactApp> {
  const { outputFiles } = await build({
    entryPoints: [path.join(import.meta.dirname, 'page.tsx')],
    bundle: true,
    format: 'iife',
    jsx: 'automatic',
    conditions: ['source'],
    write: false,
    define: { 'process.env.NODE_ENV': '"production"' },
    logLevel: 'error',
  });
  const { outputFiles: styles } = await build({
    entryPoints: [path.join(import.meta.dirname, '../../../packages/react/styles.css')],
    write: false,
    logLevel: 'error',
  });
  const app: Omit<ReactApp, 'url' | 'close'> = { asked: [], sign: () => [] };
  const server = createServer((request, response) => void answer(request, response));
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://app');
    const send = (type: string, text: string) => response.setHeader('content-type', `${type}; charset=utf-8`).end(text);
    if (pathname === '/page.js') return void send('text/javascript', outputFiles[0]?.text ?? '');
    if (pathname === '/page.css') return void send('text/css', styles[0]?.text ?? '');
    if (pathname === '/api/upload' && request.method === 'GET')
      return void send(
        'application/json',
        JSON.stringify([{ slug: 'avatar', config: { image: { maxFileCount: 1 } } }]),
      );
    if (pathname === '/api/upload') {
      const body = JSON.parse((await request.setEncoding('utf8').toArray()).join(''));
      app.asked.push({ slug: searchParams.get('slug'), body });
      const signed = app.sign(body.files);
      if (!Array.isArray(signed)) response.statusCode = 403;
      return void send('application/json', JSON.stringify(signed));
    }
    const dir = searchParams.has('rtl') ? ' dir="rtl" lang="ar"' : ' lang="en"';
    send(
      'text/html',
      `<!doctype html><html${dir}><meta charset=utf-8><title>Uploads</title><link rel=stylesheet href=/page.css><body style="font-family:sans-serif;max-width:40rem;margin:2rem auto"><div id=root></div><script src=/page.js></script>`,
    );
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(app, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}
