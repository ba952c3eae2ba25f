import { type Database, type Queryable, transaction } from '@carcosa/database';
import { IdGenerator, ManualClock, type ProjectId, systemRandom } from '@carcosa/kernel';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTestDatabase } from '../../../../tests/support/database.ts';
import { ProvisioningService } from '../provisioning/service.ts';
import { ApiKeyService } from './service.ts';

let database: Database;
let projectId: ProjectId;
let queries = 0;
let clock: ManualClock;
let keys: ApiKeyService;

const ids = new IdGenerator();
/** The pool, counting. */
const counting: Queryable = {
  query: (...args) => {
    queries++;
    const pool: Queryable = database.pool;
    return pool.query(...args);
  },
};

beforeAll(async () => {
  database = await createTestDatabase({ kind: 'embedded' });
  const apiKeys = new ApiKeyService({ db: database.pool, clock: new ManualClock(), random: systemRandom, ids });
  const run = <Result>(work: (tx: Queryable) => Promise<Result>) => transaction(database.pool, work);
  const provisioning = new ProvisioningService({ transaction: run, ids, clock: new ManualClock(), apiKeys });
  projectId = (await provisioning.ensureDefaults({ name: 'local', provider: 'local', config: {} }, null)).projectId;
});
afterAll(() => database.close());
beforeEach(() => {
  clock = new ManualClock();
  keys = new ApiKeyService({ db: counting, clock, random: systemRandom, ids });
  queries = 0;
});

const create = (expiresAt: Date | null = null) =>
  keys.create({ projectId, label: 'test', permissions: ['files:read'], expiresAt });
const isAdmitted = async (token: string): Promise<boolean> => {
  try {
    await keys.authenticate(token);
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: 'unauthenticated' });
    return false;
  }
};

it('is known by its token, with its project and permissions', async () => {
  const { id, token } = await create();
  expect(token).toMatch(/^sk_[0-9A-Za-z]{16}_[0-9A-Za-z]{43}$/);
  expect(await keys.authenticate(token)).toEqual({
    type: 'api-key',
    id,
    projectId,
    permissions: new Set(['files:read']),
    restrictions: {},
    limitFactor: 1,
  });
});

it('is stored as a hash alone', async () => {
  const { id, token } = await create();
  const { rows } = await database.pool.query(
    'select api_keys::text as text, secret_hash as hash from api_keys where id = $1',
    [id],
  );
  expect(rows[0].hash).toHaveLength(32);
  expect(rows[0].text).not.toContain(token.split('_')[2]);
});

it.each([
  '',
  'sk_',
  'sk_a_b',
  'Bearer x',
  `sk_${'a'.repeat(16)}_${'b'.repeat(43)} `,
  `sk_${'a'.repeat(16)}_${"'".repeat(43)}`,
])('refuses "%s" without a query', async (token) => {
  expect(await isAdmitted(token)).toBe(false);
  expect(queries).toBe(0);
});

it('refuses a right id with a wrong secret, remembered or not', async () => {
  const { token } = await create();
  const wrong = `${token.slice(0, -1)}${token.endsWith('a') ? 'b' : 'a'}`;
  expect(await isAdmitted(wrong)).toBe(false);
  expect(await isAdmitted(token)).toBe(true);
  expect(await isAdmitted(wrong)).toBe(false);
});

describe('remembers', () => {
  it('a key for a minute, and answers at once', async () => {
    const { token } = await create();
    await keys.authenticate(token);
    queries = 0;
    expect(keys.authenticate(token)).not.toBeInstanceOf(Promise);
    clock.advance(60_000);
    await keys.authenticate(token);
    expect(queries).toBe(1);
  });

  it('no more than a thousand keys, those that were asked for last', async () => {
    const tokens: string[] = [];
    for (let i = 0; i < 1001; i++) tokens.push((await create()).token);
    const [first = '', second = ''] = tokens;
    for (const token of tokens.slice(0, 1000)) await keys.authenticate(token);
    await keys.authenticate(first);
    await keys.authenticate(tokens[1000] ?? '');
    queries = 0;
    expect(await isAdmitted(first)).toBe(true);
    expect(queries).toBe(0);
    expect(await isAdmitted(second)).toBe(true);
    expect(queries).toBe(1);
  });

  it('but not beyond a revocation here', async () => {
    const { id, token } = await create();
    await keys.authenticate(token);
    await keys.revoke(id);
    expect(await isAdmitted(token)).toBe(false);
    await expect(keys.revoke(id)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('nor beyond one elsewhere, once that is announced', async () => {
    const { id, token } = await create();
    await keys.authenticate(token);
    await database.pool.query('update api_keys set revoked_at = now() where id = $1', [id]);
    expect(await isAdmitted(token)).toBe(true);
    keys.invalidate(token.split('_')[1]);
    expect(await isAdmitted(token)).toBe(false);
  });

  it('nor beyond its expiry', async () => {
    const { token } = await create(new Date(clock.now() + 1000));
    expect(await isAdmitted(token)).toBe(true);
    clock.advance(1000);
    expect(await isAdmitted(token)).toBe(false);
    keys.invalidate();
    expect(await isAdmitted(token)).toBe(false);
  });
});
