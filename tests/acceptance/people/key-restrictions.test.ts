import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectData, expectRefused } from '../../support/api.ts';
import { type Server, startServer } from '../../support/server.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer({ env: { CARCOSA_TRUSTED_PROXIES: '127.0.0.1' } });
});
afterAll(() => server.stop());

async function keyWith(restrictions: Record<string, unknown>): Promise<string> {
  const json = { name: 'confined', permissions: ['files:read'], restrictions };
  return expectData(await server.api<{ key: string }>('POST', '/api-keys', { json }), 201).key;
}

const list = (key: string, headers: Record<string, string>) => server.api('GET', '/files', { key, headers });
const from = (address: string) => ({ 'x-forwarded-for': address });

describe('a key that is confined to networks', () => {
  it('serves callers in them, as the trusted proxy tells their address', async () => {
    const key = await keyWith({ ipRanges: ['203.0.113.0/24', '2001:db8::7'] });
    for (const address of ['203.0.113.9', '2001:db8::7']) expect((await list(key, from(address))).status).toBe(200);
    for (const address of ['203.0.114.9', '2001:db8::8']) {
      const refused = expectRefused(await list(key, from(address)), 403);
      expect(refused).toMatchObject({ error: 'forbidden', details: { restriction: 'ipRanges' } });
    }
    expectRefused(await list(key, {}), 403);
  });

  it('refuses a network that is none', async () => {
    for (const range of ['10.0.0.0/33', '10.0.0', 'localhost', '::/129', '']) {
      const json = { name: 'x', permissions: ['files:read'], restrictions: { ipRanges: [range] } };
      expectRefused(await server.api('POST', '/api-keys', { json }), 400);
    }
  });
});

describe('a key that is confined to origins', () => {
  it('serves pages of them, and nobody who does not say', async () => {
    const key = await keyWith({ origins: ['https://app.example.com'] });
    expect((await list(key, { origin: 'https://app.example.com' })).status).toBe(200);
    for (const origin of ['https://evil.example', 'null', 'https://app.example.com:444']) {
      const refused = expectRefused(await list(key, { origin }), 403);
      expect(refused).toMatchObject({ error: 'forbidden', details: { restriction: 'origins' } });
    }
    expectRefused(await list(key, {}), 403);
  });
});
