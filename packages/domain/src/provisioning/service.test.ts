import { PERMISSIONS } from '@carcosa/contracts';
import { type Database, type Queryable, transaction } from '@carcosa/database';
import { IdGenerator, ManualClock, systemRandom } from '@carcosa/kernel';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase } from '../../../../tests/support/database.ts';
import { ApiKeyService } from '../api-keys/service.ts';
import { ProvisioningService } from './service.ts';

let database: Database;
let keys: ApiKeyService;
const ids = new IdGenerator();

beforeAll(async () => {
  database = await createTestDatabase({ kind: 'embedded' });
  keys = new ApiKeyService({ db: database.pool, clock: new ManualClock(), random: systemRandom, ids });
});
afterAll(() => database.close());

describe('a first start', () => {
  const bucket = { name: 'local', provider: 'local' as const, config: {} };
  const run = <Result>(work: (tx: Queryable) => Promise<Result>) => transaction(database.pool, work);
  const provision = (heldKey: string | null, wanted: Parameters<ProvisioningService['ensureDefaults']>[0] = bucket) =>
    new ProvisioningService({ transaction: run, ids, clock: new ManualClock(), apiKeys: keys }).ensureDefaults(
      wanted,
      heldKey,
    );

  it('makes one of each, however many nodes start at once, and a key for each of them', async () => {
    const made = await Promise.all(Array.from({ length: 5 }, () => provision(null)));
    expect(new Set(made.map((one) => one.projectId)).size).toBe(1);
    expect(new Set(made.map(({ apiKey }) => apiKey)).size).toBe(5);
    const { rows } = await database.pool.query(
      'select (select count(*)::int from organizations) o, (select count(*)::int from teams) t, (select count(*)::int from buckets) b, (select count(*)::int from projects) p',
    );
    expect(rows).toEqual([{ o: 1, t: 1, b: 1, p: 1 }]);
    const recorded = await database.pool.query(
      'select action, count(*)::int as times from audit_entries group by action order by action',
    );
    expect(recorded.rows).toEqual([
      { action: 'alarm.create', times: 7 },
      { action: 'api-key.create', times: 5 },
      ...['bucket', 'organization', 'project', 'team'].map((each) => ({ action: `${each}.create`, times: 1 })),
    ]);
  });

  it('gives the key all 17 permissions, and the project public files', async () => {
    const { apiKey } = await provision(null);
    const actor = await keys.authenticate(apiKey ?? '');
    expect([...actor.permissions].sort()).toEqual([...PERMISSIONS].sort());
    const { rows } = await database.pool.query('select name, settings from projects');
    expect(rows).toEqual([
      { name: 'default', settings: { defaultVisibility: 'public', rateLimits: { 'public-download': null } } },
    ]);
  });

  it('makes no key while the one of before opens the project', async () => {
    const { apiKey } = await provision(null);
    expect((await provision(apiKey)).apiKey).toBeNull();
  });

  it('gives one that an older version left the limits of a new one, on every node, and says so', async () => {
    const { projectId } = await provision(null);
    const { id, token } = await keys.create({ projectId, label: 'local', permissions: PERMISSIONS });
    expect(await keys.authenticate(token)).toMatchObject({ limitFactor: 1 });
    expect((await provision(token)).apiKey).toBeNull();
    expect(await keys.authenticate(token)).toMatchObject({ id, limitFactor: 1000 });
    await provision(token);
    const { rows } = await database.pool.query('select before, after from audit_entries where action = $1', [
      'api-key.update',
    ]);
    expect(rows).toEqual([{ before: { limitFactor: 1 }, after: { limitFactor: 1000 } }]);
  });

  it('makes one when that is revoked, or of another database', async () => {
    const { projectId } = await provision(null);
    const { id, token } = await keys.create({ projectId, label: 'old', permissions: PERMISSIONS });
    await keys.revoke(id);
    expect((await provision(token)).apiKey).toMatch(/^sk_/);
    expect((await provision(`sk_${'a'.repeat(16)}_${'b'.repeat(43)}`)).apiKey).toMatch(/^sk_/);
  });

  it('moves to another bucket and back, and knows it again', async () => {
    const first = await provision(null);
    const s3 = { name: 's3 x/media', provider: 's3' as const, config: { bucket: 'media', region: 'eu' } };
    const moved = await provision(null, s3);
    expect(moved.bucketId).not.toBe(first.bucketId);
    const again = await provision(null, { ...s3, config: { bucket: 'media', region: 'us' } });
    expect(again.bucketId).toBe(moved.bucketId);
    expect((await provision(null)).bucketId).toBe(first.bucketId);
  });
});
