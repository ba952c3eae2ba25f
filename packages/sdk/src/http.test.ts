import { describe, expect, it } from 'vitest';
import { createCarcosa, createClient } from './client.ts';
import { backoff, systemTiming } from './timing.ts';

type Answer = { status: number; body: unknown; headers?: Record<string, string> } | Error;

/** A client whose server gives these answers, one after the other. */
function clientOf(answers: Answer[], options: Partial<Parameters<typeof createCarcosa>[0]> = {}) {
  const asked: { method: string; url: string; authorization: string | null; body: unknown }[] = [];
  const fetch: typeof globalThis.fetch = async (url, init) => {
    const headers = new Headers(init?.headers);
    asked.push({
      method: init?.method ?? '',
      url: String(url),
      authorization: headers.get('authorization'),
      body: init?.body == null ? undefined : JSON.parse(String(init.body)),
    });
    const answer = answers.shift();
    if (!answer || answer instanceof Error) throw answer ?? new Error('no more answers');
    return new Response(JSON.stringify(answer.body), { status: answer.status, headers: answer.headers ?? {} });
  };
  const timing = { ...systemTiming, sleep: async () => {} };
  const settings = { url: 'https://files.test/base/', apiKey: 'sk_1', fetch, ...options };
  return { asked, carcosa: createClient<Blob>(settings, { timing }) };
}

const refusal = (error: string, status: number) => ({
  status,
  body: { error, message: 'No.', status, requestId: 'req_1', timestamp: '', details: { a: 1 } },
  headers: { 'retry-after': '0' },
});
const data = (value: unknown) => ({ status: 200, body: { data: value, success: true, timestamp: '' } });

describe('calls', () => {
  it('fills in path and query, and unwraps the answer', async () => {
    const { carcosa, asked } = clientOf([data({ id: 'a/b' })], { projectId: 'prj_1' });
    expect(await carcosa.files.get('a/b')).toEqual({ id: 'a/b' });
    expect(asked).toEqual([
      {
        method: 'GET',
        url: 'https://files.test/base/api/v1/files/a%2Fb?projectId=prj_1',
        authorization: 'Bearer sk_1',
        body: undefined,
      },
    ]);
  });

  it('names the project in bodies where the call names none', async () => {
    const { carcosa, asked } = clientOf([data({}), data({})], { projectId: 'prj_1' });
    await carcosa.tenants.create({ name: 'A' });
    await carcosa.tenants.create({ name: 'A', projectId: 'prj_2' });
    expect(asked.map(({ body }) => body)).toEqual([
      { projectId: 'prj_1', name: 'A' },
      { projectId: 'prj_2', name: 'A' },
    ]);
  });

  it('gives the error of the answer with its code', async () => {
    const { carcosa } = clientOf([refusal('not_found', 404)]);
    await expect(carcosa.files.get('x')).rejects.toMatchObject({
      code: 'not_found',
      status: 404,
      details: { a: 1 },
      requestId: 'req_1',
      retryable: false,
    });
  });

  it('says so when somebody else answers', async () => {
    const { carcosa } = clientOf([{ status: 400, body: '<h1>Bad Gateway</h1>' }]);
    await expect(carcosa.files.get('x')).rejects.toMatchObject({ code: 'invalid_response', status: 400 });
  });

  it('repeats what failed in passing, and nothing that might be done twice', async () => {
    const reading = clientOf([new TypeError('fetch failed'), refusal('overloaded', 503), data({ id: 'x' })]);
    await reading.carcosa.files.get('x');
    expect(reading.asked).toHaveLength(3);
    const writing = clientOf([new TypeError('fetch failed')]);
    await expect(writing.carcosa.files.copy('x', 'y')).rejects.toMatchObject({ code: 'network_error' });
    const limited = clientOf([refusal('rate_limited', 429), data({ id: 'x' })]);
    await limited.carcosa.files.copy('x', 'y');
    expect(limited.asked).toHaveLength(2);
  });

  it('asks for another token once when one is refused', async () => {
    let asks = 0;
    const tokenProvider = () => `token-${++asks}`;
    const { carcosa, asked } = clientOf([data({}), refusal('unauthenticated', 401), data({})], { tokenProvider });
    await carcosa.files.get('x');
    await carcosa.files.get('x');
    expect(asked.map(({ authorization }) => authorization)).toEqual([
      'Bearer token-1',
      'Bearer token-1',
      'Bearer token-2',
    ]);
    const refused = clientOf([refusal('unauthenticated', 401), refusal('unauthenticated', 401)], { tokenProvider });
    await expect(refused.carcosa.files.get('x')).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  it('walks through all pages of a list', async () => {
    const page = (items: number[], nextCursor: string | null) =>
      data({ items, nextCursor, hasMore: nextCursor !== null });
    const { carcosa, asked } = clientOf([page([1, 2], 'b'), page([3], null), page([1, 2], 'b')]);
    expect(await carcosa.files.list({ limit: 2, folder: '' }).toArray()).toEqual([1, 2, 3]);
    expect(asked.map(({ url }) => url.split('?')[1])).toEqual(['limit=2&folder=', 'limit=2&folder=&cursor=b']);
    expect(await carcosa.files.list().toArray(1)).toEqual([1]);
    expect(asked).toHaveLength(3);
  });

  it('refuses an address that is none', () => {
    expect(() => createCarcosa({ url: 'localhost' })).toThrow(/address of a Carcosa server/);
  });
});

it('waits twice as long each time, spread out, and as long as the server says', () => {
  const half = { ...systemTiming, random: () => 0 };
  const whole = { ...systemTiming, random: () => 1 };
  expect([1, 2, 3, 20].map((attempt) => backoff(attempt, half))).toEqual([250, 500, 1000, 15_000]);
  expect([1, 2, 3, 20].map((attempt) => backoff(attempt, whole))).toEqual([500, 1000, 2000, 30_000]);
  expect(backoff(1, whole, 7)).toBe(7000);
});
