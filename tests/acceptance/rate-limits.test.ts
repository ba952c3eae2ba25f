import { afterAll, beforeAll, expect, it } from 'vitest';
import { expectData, expectRefused } from '../support/api.ts';
import { newEmail, PASSWORD } from '../support/people.ts';
import { type Server, startServer } from '../support/server.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer({ limitsAddresses: true });
});
afterAll(() => server.stop());

const logIn = (headers: Record<string, string> = {}) =>
  server.api('POST', '/auth/login', { key: null, headers, json: { email: newEmail(), password: PASSWORD } });

it('log-in is limited to 5 in 15 minutes, registration to 3 in an hour, whatever a client says of its address', async () => {
  for (let each = 0; each < 5; each++) expectRefused(await logIn({ 'x-forwarded-for': `203.0.113.${each}` }), 401);
  const refused = await logIn({ 'x-forwarded-for': '203.0.113.99' });
  expect(expectRefused(refused, 429)).toMatchObject({ error: 'rate_limited', details: { tier: 'login', limit: 5 } });
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(16 * 60);
  const register = () =>
    server.api('POST', '/auth/register', { key: null, json: { email: newEmail(), password: PASSWORD, name: 'C' } });
  for (let each = 0; each < 3; each++) expectData(await register(), 201);
  expect(expectRefused(await register(), 429)).toMatchObject({ details: { tier: 'registration', limit: 3 } });
});

it('the local key has a thousandfold, and says so on every answer', async () => {
  const answer = await server.api('GET', '/projects');
  expect(answer.headers.get('x-ratelimit-limit')).toBe('10000000');
  expect(Number(answer.headers.get('x-ratelimit-remaining'))).toBeLessThan(10_000_000);
  expect(Number(answer.headers.get('x-ratelimit-reset'))).toBeGreaterThan(1_700_000_000);
});

it('the local key changes limits, and has a caller forgotten', async () => {
  expectRefused(await logIn(), 429);
  expect((await server.api('DELETE', '/rate-limits/callers/127.0.0.1')).status).toBe(204);
  expectRefused(await logIn(), 401);
  expectData(await server.api('PATCH', '/rate-limits', { json: { login: 1 } }));
  expectRefused(await logIn(), 429);
  await server.restart();
  const { tiers } = expectData(await server.api<{ tiers: object[] }>('GET', '/rate-limits'));
  expect(tiers, 'kept over a restart').toContainEqual({ tier: 'login', limit: 1, defaultLimit: 5, windowSeconds: 900 });
});

it('never blocks this machine, however often it is refused', async () => {
  for (let each = 0; each < 250; each++) await server.api('GET', '/projects', { key: 'sk_wrong' });
  expect(expectRefused(await server.api('GET', '/projects', { key: 'sk_wrong' }), 429)).toMatchObject({
    details: { tier: 'unauthenticated' },
  });
  expectData(await server.api('GET', '/projects'));
  const { blocks } = expectData(await server.api<{ blocks: object[] }>('GET', '/rate-limits/blocks'));
  expect(blocks).toEqual([]);
});
