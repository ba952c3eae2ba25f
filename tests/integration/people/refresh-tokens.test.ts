import { type Database, type Queryable, transaction } from '@carcosa/database';
import { type AnonymousActor, RefreshTokens } from '@carcosa/domain';
import { IdGenerator, isCarcosaError, ManualClock, type SessionId, systemRandom, type UserId } from '@carcosa/kernel';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestDatabase } from '../../support/database.ts';

const ids = new IdGenerator();
const SECRET = Buffer.from('a root secret of 32 bytes or more');
const DAY = 24 * 3_600_000;

let database: Database;
let userId: UserId;
beforeAll(async () => {
  database = await createTestDatabase({ kind: 'embedded' });
  userId = ids.next('user');
  await database.pool.query(
    `insert into users (id, name, email, created_at, updated_at) values ($1, 'x', 'x@example.com', now(), now())`,
    [userId],
  );
});
afterAll(() => database.close());

const inTransaction = <Result>(work: (tx: Queryable) => Promise<Result>) => transaction(database.pool, work);

const CLIENTS: AnonymousActor[] = ['owner', 'thief'].map((userAgent) => ({
  type: 'anonymous',
  origin: { requestId: 'req_1', ipAddress: '192.0.2.1', userAgent },
}));

async function newSession(clock: ManualClock): Promise<SessionId> {
  const id = ids.next('session');
  const at = new Date(clock.now());
  await database.pool.query(
    'insert into sessions (id, user_id, token, expires_at, created_at, updated_at) values ($1, $2, $1, $3, $4, $4)',
    [id, userId, new Date(clock.now() + 7 * DAY), at],
  );
  return id;
}

/** One attempt: who brings which of the tokens so far (counted from the newest), after how long. */
const attempt = fc.record({
  client: fc.constantFrom(0, 0, 0, 1),
  back: fc.constantFrom(0, 0, 0, 1, 1, 2, 3),
  pause: fc.constantFrom(0, 1, 5_000, 10_000, 10_001, 10_001, 3_600_000, 7 * DAY - 1, 7 * DAY),
});

it('whatever is tried in whatever order: a token serves once, but for a repetition by its user within ten seconds; else the session ends', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(attempt, { minLength: 1, maxLength: 12 }), async (attempts) => {
      const clock = new ManualClock();
      const ended: UserId[] = [];
      const parts = { secret: SECRET, clock, random: systemRandom, transaction: inTransaction };
      const tokens = new RefreshTokens({ ...parts, onEnd: (id) => void ended.push(id) });
      const sessionId = await newSession(clock);
      const chain = [{ token: await inTransaction((tx) => tokens.issue(tx, sessionId)), issuedAt: clock.now() }];
      // When and by whom the newest but one was exchanged.
      let last = { at: Number.NEGATIVE_INFINITY, client: -1 };
      let isOver = false;
      for (const { client, back, pause } of attempts) {
        clock.advance(pause);
        const at = Math.max(0, chain.length - 1 - back);
        const { token, issuedAt } = chain[at] as (typeof chain)[number];
        const isNewest = at === chain.length - 1;
        const isExpired = clock.now() >= issuedAt + 7 * DAY;
        const isRepetition = at === chain.length - 2 && client === last.client && clock.now() - last.at <= 10_000;
        const got = await tokens.rotate(CLIENTS[client] as AnonymousActor, token).catch((error: unknown) => {
          if (isCarcosaError(error, 'unauthenticated')) return null;
          throw error;
        });
        const expected = !isOver && !isExpired && (isNewest || isRepetition);
        expect(got !== null).toBe(expected);
        if (got && isNewest) {
          chain.push({ token: got.refreshToken, issuedAt: clock.now() });
          last = { at: clock.now(), client };
        } else if (got) expect(got.refreshToken).toBe(chain.at(-1)?.token);
        else if (!isOver && !isExpired) isOver = true;
        expect(ended).toHaveLength(isOver ? 1 : 0);
      }
      const { rows } = await database.pool.query('select 1 from sessions where id = $1', [sessionId]);
      expect(rows).toHaveLength(isOver ? 0 : 1);
      expect(new Set(chain.map(({ token }) => token)).size).toBe(chain.length);
    }),
    { numRuns: 150 },
  );
});

it('of many who bring one token at once, all of the same client get one next token, and strangers end the session', async () => {
  const clock = new ManualClock();
  const tokens = new RefreshTokens({
    ...{ secret: SECRET, clock, random: systemRandom, transaction: inTransaction },
    onEnd: () => {},
  });
  const [owner, thief] = CLIENTS as [AnonymousActor, AnonymousActor];
  const sessionId = await newSession(clock);
  const token = await inTransaction((tx) => tokens.issue(tx, sessionId));
  const got = await Promise.all(Array.from({ length: 8 }, () => tokens.rotate(owner, token)));
  expect(new Set(got.map(({ refreshToken }) => refreshToken)).size).toBe(1);
  await expect(tokens.rotate(thief, token)).rejects.toMatchObject({ code: 'unauthenticated' });
  await expect(tokens.rotate(owner, got[0]?.refreshToken ?? '')).rejects.toMatchObject({ code: 'unauthenticated' });
});
