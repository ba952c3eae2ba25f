import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { build } from 'esbuild';
import { announce, findCarcosa, PORT } from '../local.ts';

const { url, apiKey } = findCarcosa();
const page = join(import.meta.dirname, 'page.ts');
const { outputFiles } = await build({ entryPoints: [page], bundle: true, format: 'esm', write: false });

/** Asks Carcosa with the key, which the browser never sees. */
async function carcosa<Data>(path: string, body: object): Promise<Data> {
  const response = await fetch(`${url}/api/v1${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const { data, message } = (await response.json()) as { data: Data; message?: string };
  if (!response.ok) throw new Error(message);
  return data;
}

// One customer of this app. Yours has as many as it has people, or companies.
const tenant = await carcosa<{ id: string }>('/tenants', { name: 'A customer of the example' });

const server = createServer(async (request, response) => {
  if (request.url === '/page.js')
    return response.setHeader('content-type', 'text/javascript').end(outputFiles[0]?.text);
  if (request.url === '/token') {
    // Here your app looks who it is, before it gives them a token of their own.
    const permissions = ['files:write', 'files:read'];
    const { token } = await carcosa<{ token: string }>(`/tenants/${tenant.id}/tokens`, { permissions });
    return response
      .setHeader('content-type', 'application/json')
      .end(JSON.stringify({ token, endpoint: `${url}/api/v1/tus` }));
  }
  response.setHeader('content-type', 'text/html').end(await readFile(join(import.meta.dirname, 'index.html')));
});
server.listen(PORT, '127.0.0.1', () => announce(server.address() as { port: number }));
