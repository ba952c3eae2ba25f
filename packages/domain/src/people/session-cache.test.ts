import type { Queryable, SessionIdentity } from '@carcosa/database';
import { IdGenerator, ManualClock, type OrganizationId } from '@carcosa/kernel';
import { beforeEach, describe, expect, it } from 'vitest';
import { SessionCache } from './session-cache.ts';

const ids = new IdGenerator();
const userId = ids.next('user');
const sessionId = ids.next('session');
const organization = ids.next('organization');

let clock: ManualClock;
let cache: SessionCache;
let identity: SessionIdentity | null;
let queries: number;
/** Holds an answer of the database back until it is let go. */
let held: Promise<void>;

beforeEach(() => {
  clock = new ManualClock();
  queries = 0;
  held = Promise.resolve();
  identity = {
    userId,
    isServerAdmin: false,
    expiresAt: new Date(clock.now() + 3_600_000),
    organizations: {},
    teams: {},
  };
  cache = new SessionCache({ db: database as Queryable, clock });
});

/** A database whose answer is what stood there when it was asked, however late it comes. */
const database = {
  query: async () => {
    queries++;
    const rows = identity === null ? [] : [identity];
    await held;
    return { rows };
  },
} as unknown as Queryable;

const roleOf = async () => (await cache.actorOf(sessionId, userId)).organizations.get(organization);
const give = (role: 'admin' | 'viewer') => {
  identity = { ...(identity as SessionIdentity), organizations: { [organization as OrganizationId]: role } };
};
const isRefused = (work: Promise<unknown>) => expect(work).rejects.toMatchObject({ code: 'unauthenticated' });

it('answers at once what it knows, for half a minute', async () => {
  await cache.actorOf(sessionId, userId);
  expect(cache.actorOf(sessionId, userId)).not.toBeInstanceOf(Promise);
  clock.advance(30_000);
  await cache.actorOf(sessionId, userId);
  expect(queries).toBe(2);
});

it('lets nobody use the session of somebody else, known or not', async () => {
  await isRefused(Promise.resolve(cache.actorOf(sessionId, ids.next('user'))));
  await cache.actorOf(sessionId, userId);
  expect(() => cache.actorOf(sessionId, ids.next('user'))).toThrow(
    expect.objectContaining({ code: 'unauthenticated' }),
  );
});

it('reads a session anew that seems to have expired: it may have been refreshed elsewhere', async () => {
  identity = { ...(identity as SessionIdentity), expiresAt: new Date(clock.now() + 1000) };
  await cache.actorOf(sessionId, userId);
  clock.advance(1000);
  await isRefused(Promise.resolve(cache.actorOf(sessionId, userId)));
  identity = { ...(identity as SessionIdentity), expiresAt: new Date(clock.now() + 1000) };
  await cache.actorOf(sessionId, userId);
});

describe('a change', () => {
  it('is seen once it is told, of that person alone', async () => {
    give('admin');
    expect(await roleOf()).toBe('admin');
    give('viewer');
    cache.invalidate(ids.next('user'));
    expect(await roleOf()).toBe('admin');
    cache.invalidate(userId);
    expect(await roleOf()).toBe('viewer');
    identity = null;
    cache.invalidate();
    await isRefused(Promise.resolve(cache.actorOf(sessionId, userId)));
  });

  it('that overtakes a reading is not forgotten with it', async () => {
    give('admin');
    let letGo = (): void => {};
    held = new Promise((resolve) => {
      letGo = resolve;
    });
    const early = roleOf();
    give('viewer');
    cache.invalidate(userId);
    letGo();
    await early;
    expect(await roleOf(), 'what the early reading saw is not remembered').toBe('viewer');
  });
});

it('remembers no more than five thousand sessions', async () => {
  await cache.actorOf(sessionId, userId);
  for (let made = 0; made < 5000; made++) await cache.actorOf(ids.next('session'), userId);
  queries = 0;
  await cache.actorOf(sessionId, userId);
  expect(queries).toBe(1);
});
