import { IdGenerator, ManualClock } from '@carcosa/kernel';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { AccessTokens } from './access-tokens.ts';

const secret = Buffer.from('a root secret of 32 bytes or more');
const ids = new IdGenerator();
const userId = ids.next('user');
const sessionId = ids.next('session');

let clock: ManualClock;
let tokens: AccessTokens;
beforeEach(() => {
  clock = new ManualClock();
  tokens = new AccessTokens({ secret, clock });
});

const isRefused = async (token: string, by = tokens): Promise<boolean> => {
  try {
    await by.verify(token);
    return false;
  } catch (error) {
    expect(error).toMatchObject({ code: 'unauthenticated' });
    return true;
  }
};

describe('a token', () => {
  it('names its user and session, at once from the second time on', async () => {
    const token = await tokens.sign(userId, sessionId);
    expect(await tokens.verify(token)).toEqual({ userId, sessionId, expiresAt: clock.now() + 3_600_000 });
    expect(tokens.verify(token)).not.toBeInstanceOf(Promise);
  });

  it('ends after an hour, remembered or not', async () => {
    const token = await tokens.sign(userId, sessionId);
    clock.advance(3_599_999);
    expect(await isRefused(token)).toBe(false);
    clock.advance(1);
    expect(await isRefused(token)).toBe(true);
    expect(await isRefused(token, new AccessTokens({ secret, clock }))).toBe(true);
  });

  it('of another installation is refused', async () => {
    const other = new AccessTokens({ secret: Buffer.from('another root secret of 32 bytes !'), clock });
    expect(await isRefused(await other.sign(userId, sessionId))).toBe(true);
  });

  it('with any letter changed is refused', async () => {
    const token = await tokens.sign(userId, sessionId);
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.';
    await fc.assert(
      fc.asyncProperty(fc.nat(token.length - 2), fc.constantFrom(...letters), async (at, letter) => {
        fc.pre(token[at] !== letter);
        expect(await isRefused(token.slice(0, at) + letter + token.slice(at + 1))).toBe(true);
      }),
    );
  });

  it('cut or lengthened anywhere is refused', async () => {
    const token = await tokens.sign(userId, sessionId);
    await fc.assert(
      fc.asyncProperty(fc.nat(token.length - 1), fc.string({ minLength: 1 }), async (at, more) => {
        expect(await isRefused(token.slice(0, at))).toBe(true);
        expect(await isRefused(token.slice(0, at) + more + token.slice(at))).toBe(true);
      }),
    );
  });
});

it('whatever else is refused', async () => {
  const text = fc.oneof(
    fc.string({ maxLength: 2000 }),
    fc.array(fc.base64String(), { maxLength: 5 }).map((parts) => parts.join('.')),
  );
  await fc.assert(
    fc.asyncProperty(text, async (token) => {
      expect(await isRefused(token)).toBe(true);
    }),
  );
});

it('remembers no more than five thousand', async () => {
  const first = await tokens.sign(userId, sessionId);
  await tokens.verify(first);
  for (let made = 0; made < 5000; made++) await tokens.verify(await tokens.sign(userId, ids.next('session')));
  expect(tokens.verify(first)).toBeInstanceOf(Promise);
});
