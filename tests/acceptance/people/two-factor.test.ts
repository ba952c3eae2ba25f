import { Secret, TOTP } from 'otpauth';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectData, expectRefused } from '../../support/api.ts';
import { type LoggedInData, logIn, PASSWORD, type Person, personOf, register } from '../../support/people.ts';
import { type Server, startServer } from '../../support/server.ts';

interface Setup {
  otpauthUrl: string;
  secret: string;
  recoveryCodes: string[];
}
interface Challenge {
  twoFactorRequired: true;
  twoFactorToken: string;
  methods: string[];
}
interface Enrolled extends Setup {
  person: Person;
}

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

const post = <Data = LoggedInData>(path: string, json: unknown) => server.api<Data>('POST', path, { key: null, json });

/** What an authenticator shows. @param steps of 30 seconds from now */
function codeOf(secret: string, steps = 0): string {
  const totp = new TOTP({ secret: Secret.fromBase32(secret) });
  return totp.generate({ timestamp: performance.timeOrigin + performance.now() + steps * 30_000 });
}

const wrongCode = (secret: string): string => {
  const right = [-1, 0, 1, 2].map((steps) => codeOf(secret, steps));
  return ['000000', '111111', '222222', '333333', '444444'].find((code) => !right.includes(code)) as string;
};

async function enrol(): Promise<Enrolled> {
  const person = await register(server);
  const json = { password: PASSWORD };
  const setup = expectData(await person.call<Setup>('POST', '/auth/two-factor/enable', { json }));
  const code = { code: codeOf(setup.secret, -1) };
  const next = expectData(await person.call<LoggedInData>('POST', '/auth/two-factor/confirm', { json: code }));
  return { person: personOf(server, person, next), ...setup };
}

async function challenge({ email, password }: Person): Promise<string> {
  const asked = expectData(await post<Challenge>('/auth/login', { email, password }));
  expect(asked).toMatchObject({ twoFactorRequired: true, methods: ['totp', 'recovery-code'] });
  expect(asked).not.toHaveProperty('accessToken');
  return asked.twoFactorToken;
}

describe('setting it up', () => {
  it('gives what an authenticator reads, and ten recovery codes', async () => {
    const person = await register(server);
    const setup = expectData(
      await person.call<Setup>('POST', '/auth/two-factor/enable', { json: { password: PASSWORD } }),
    );
    const url = new URL(setup.otpauthUrl);
    expect(url.protocol).toBe('otpauth:');
    expect(decodeURIComponent(url.pathname)).toContain(person.email);
    expect(url.searchParams.get('issuer')).toBe('Carcosa');
    expect(setup.recoveryCodes).toHaveLength(10);
    expect(new Set(setup.recoveryCodes).size).toBe(10);
  });

  it('takes the password', async () => {
    const person = await register(server);
    for (const json of [{}, { password: 'a guess' }])
      expectRefused(await person.call('POST', '/auth/two-factor/enable', { json }), 400, 401);
  });

  it('changes nothing before a code was confirmed', async () => {
    const person = await register(server);
    const json = { password: PASSWORD };
    const { secret } = expectData(await person.call<Setup>('POST', '/auth/two-factor/enable', { json }));
    await logIn(server, person);
    const wrong = await person.call('POST', '/auth/two-factor/confirm', { json: { code: wrongCode(secret) } });
    expect(expectRefused(wrong, 401).error).toBe('invalid_code');
    await logIn(server, person);
  });

  it('is told by the account', async () => {
    const { person } = await enrol();
    expect(person.user.twoFactorEnabled).toBe(true);
    const again = await person.call('POST', '/auth/two-factor/enable', { json: { password: PASSWORD } });
    expectRefused(again, 409);
  });
});

describe('logging in', () => {
  it('takes the password and the code', async () => {
    const { person, secret } = await enrol();
    const twoFactorToken = await challenge(person);
    const done = expectData(await post('/auth/login/two-factor', { twoFactorToken, code: codeOf(secret) }));
    expect(done.user.id).toBe(person.user.id);
    expect((await server.api('GET', '/auth/me', { key: done.accessToken })).status).toBe(200);
  });

  it('or a recovery code, each once, as often as there are challenges', async () => {
    const { person, recoveryCodes } = await enrol();
    const [first = '', second = ''] = recoveryCodes;
    expectData(await post('/auth/login/two-factor', { twoFactorToken: await challenge(person), recoveryCode: first }));
    const again = { twoFactorToken: await challenge(person), recoveryCode: first };
    expect(expectRefused(await post('/auth/login/two-factor', again), 401).error).toBe('invalid_code');
    expectData(await post('/auth/login/two-factor', { ...again, recoveryCode: second }));
  });

  it('one recovery code serves one of two who bring it at once', async () => {
    const { person, recoveryCodes } = await enrol();
    const recoveryCode = recoveryCodes[0];
    const tokens = [await challenge(person), await challenge(person), await challenge(person)];
    const answers = await Promise.all(
      tokens.map((twoFactorToken) => post('/auth/login/two-factor', { twoFactorToken, recoveryCode })),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.every(({ status }) => status < 500)).toBe(true);
  });

  it('a challenge serves once', async () => {
    const { person, recoveryCodes } = await enrol();
    const twoFactorToken = await challenge(person);
    expectData(await post('/auth/login/two-factor', { twoFactorToken, recoveryCode: recoveryCodes[0] }));
    const again = await post('/auth/login/two-factor', { twoFactorToken, recoveryCode: recoveryCodes[1] });
    expect(expectRefused(again, 401).error).toBe('second_step_expired');
  });

  it('ends after five wrong codes, also for the right one', async () => {
    const { person, secret } = await enrol();
    const twoFactorToken = await challenge(person);
    const code = wrongCode(secret);
    for (let attempt = 0; attempt < 5; attempt++)
      expect(expectRefused(await post('/auth/login/two-factor', { twoFactorToken, code }), 401).error).toBe(
        'invalid_code',
      );
    const right = await post('/auth/login/two-factor', { twoFactorToken, code: codeOf(secret) });
    expect(expectRefused(right, 401).error).toBe('second_step_expired');
  });

  it('stops who tries codes over many challenges, but not sessions that are there', async () => {
    const { person, secret } = await enrol();
    const code = wrongCode(secret);
    for (let attempt = 0; attempt < 10; attempt++)
      await post('/auth/login/two-factor', { twoFactorToken: await challenge(person), code });
    const right = { twoFactorToken: await challenge(person), code: codeOf(secret) };
    expect(expectRefused(await post('/auth/login/two-factor', right), 429).error).toBe('second_step_locked');
    expect((await person.call('GET', '/auth/me')).status).toBe(200);
  });

  it.each([
    ['nothing', (twoFactorToken: string) => ({ twoFactorToken })],
    ['both', (twoFactorToken: string) => ({ twoFactorToken, code: '123456', recoveryCode: 'abcde-fghij' })],
    ['a code of letters', (twoFactorToken: string) => ({ twoFactorToken, code: 'abcdef' })],
    ['an empty challenge', () => ({ twoFactorToken: '', code: '123456' })],
  ])('refuses %s', async (_, bodyOf) => {
    const { person } = await enrol();
    expectRefused(await post('/auth/login/two-factor', bodyOf(await challenge(person))), 400);
  });

  it('a challenge that nobody was given opens nothing', async () => {
    const { secret } = await enrol();
    for (const twoFactorToken of ['x', 'x.y', `2fa-x.${'a'.repeat(43)}`, 'a; better-auth.session_token=b'])
      expectRefused(await post('/auth/login/two-factor', { twoFactorToken, code: codeOf(secret) }), 401);
  });
});

describe('a code', () => {
  it('serves once, also within its thirty seconds', async () => {
    const { person, secret } = await enrol();
    const code = codeOf(secret);
    expectData(await post('/auth/login/two-factor', { twoFactorToken: await challenge(person), code }));
    const again = await post('/auth/login/two-factor', { twoFactorToken: await challenge(person), code });
    expect(expectRefused(again, 401).error).toBe('invalid_code');
  });

  it('serves one of those who bring it at once', async () => {
    const { person, secret } = await enrol();
    const code = codeOf(secret);
    const tokens = [await challenge(person), await challenge(person), await challenge(person)];
    const answers = await Promise.all(
      tokens.map((twoFactorToken) => post('/auth/login/two-factor', { twoFactorToken, code })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401]);
  });
});

describe('giving it up', () => {
  it('takes the password; then the password is enough', async () => {
    const { person } = await enrol();
    expectRefused(await person.call('POST', '/auth/two-factor/disable', { json: { password: 'a guess' } }), 400, 401);
    const json = { password: PASSWORD };
    const next = expectData(await person.call<LoggedInData>('POST', '/auth/two-factor/disable', { json }));
    expect(next.user.twoFactorEnabled).toBe(false);
    await logIn(server, person);
  });

  it('new recovery codes end the old ones', async () => {
    const { person, recoveryCodes } = await enrol();
    const json = { password: PASSWORD };
    const made = await person.call<{ recoveryCodes: string[] }>('POST', '/auth/two-factor/recovery-codes', { json });
    const fresh = expectData(made).recoveryCodes;
    const twoFactorToken = await challenge(person);
    expectRefused(await post('/auth/login/two-factor', { twoFactorToken, recoveryCode: recoveryCodes[0] }), 401);
    expectData(await post('/auth/login/two-factor', { twoFactorToken, recoveryCode: fresh[0] }));
  });
});

it('no code, secret or recovery code is in the log', async () => {
  const { secret, recoveryCodes } = await enrol();
  for (const text of [secret, ...recoveryCodes]) expect(server.logs).not.toContain(text);
});
