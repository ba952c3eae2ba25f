import type { Database } from '@carcosa/database';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, databaseKinds } from '../../support/database.ts';
import { explain, rowsRead } from '../../support/plans.ts';

const CONTENTS = 100_000;

/** What the foreign key of contents asks when a bucket is removed: whoever removes an empty one must not wait for a reading of all. */
describe.each(databaseKinds())('the contents of a bucket, among 100,000 of others, on %s', (kind) => {
  let database: Database;
  beforeAll(async () => {
    database = await createTestDatabase({ kind });
    const db = database.pool;
    await db.query(`insert into organizations (id, name, slug, created_at) values ('org', 'o', 'o', now())`);
    await db.query(
      `insert into teams (id, organization_id, name, slug, created_at) values ('tea', 'org', 't', 't', now())`,
    );
    await db.query(
      `insert into buckets (id, organization_id, name, provider, config, created_at)
       select 'bkt_' || n, 'org', n, 'local', '{}', now() from generate_series(1, 3) n`,
    );
    await db.query(
      `insert into projects (id, organization_id, team_id, bucket_id, name, slug, settings, created_at, updated_at)
       values ('prj', 'org', 'tea', 'bkt_1', 'p', 'p', '{}', now(), now())`,
    );
    // The empty bucket lies between the two that are used.
    await db.query(
      `insert into objects (id, project_id, bucket_id, storage_key, size, content_type, created_at)
       select 'obj_' || n, 'prj', 'bkt_' || (1 + n % 2 * 2), n, 1, 'text/plain', now() from generate_series(1, $1::int) n`,
      [CONTENTS],
    );
    await db.query('vacuum analyze objects');
  });
  afterAll(() => database.close());

  it('are found to be none without reading them all', async () => {
    const text = `select 1 from only objects x where 'bkt_2' = bucket_id for key share of x`;
    expect(rowsRead(await explain(database.pool, { text }))).toBeLessThan(CONTENTS / 20);
    const { rowCount } = await database.pool.query(`delete from buckets where id = 'bkt_2'`);
    expect(rowCount).toBe(1);
  });
});
