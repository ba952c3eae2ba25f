import { type Database, listEvents } from '@carcosa/database';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, databaseKinds } from '../../support/database.ts';

const HOUR = 3_600_000;
const BEGUN = Date.UTC(2026, 0, 1);

describe.each(databaseKinds())('events of a time, on %s', (kind) => {
  let database: Database;
  beforeAll(async () => {
    database = await createTestDatabase({ kind });
  });
  afterAll(() => database.close());

  const list = async (window: { from?: number; to?: number }) => {
    const rows = await listEvents(database.pool, { publicUrl: '', organizationId: 'org_1', limit: 1000, ...window });
    return rows.map(({ position }) => position);
  };

  it('are none where there are none', async () => {
    expect(await list({ from: BEGUN, to: BEGUN + HOUR })).toEqual([]);
  });

  it('are all of it, whatever gaps positions have, and although clocks of nodes differ by half an hour', async () => {
    const step = fc.record({
      gap: fc.integer({ min: 1, max: 40 }),
      hours: fc.double({ min: 0, max: 3, noNaN: true }),
      skew: fc.integer({ min: -HOUR / 2, max: HOUR / 2 }),
      isOurs: fc.boolean(),
    });
    const edge = fc.option(fc.integer({ min: -HOUR, max: 40 * HOUR }), { nil: undefined });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), edge, edge, async (steps, from, to) => {
        await database.pool.query('delete from events');
        let [position, at] = [1, BEGUN];
        const events = steps.map(({ gap, hours, skew, isOurs }) => {
          position += gap;
          at += Math.round(hours * HOUR);
          return { position, at: at + skew, organization: isOurs ? 'org_1' : 'org_2' };
        });
        await database.pool.query(
          `insert into events (position, id, type, organization_id, data, created_at)
           select n.position, 'evt_' || n.position, 'file.created', n.organization, '{}', to_timestamp(n.at / 1000)
           from jsonb_to_recordset($1::jsonb) as n(position bigint, at float8, organization text)`,
          [JSON.stringify(events)],
        );
        const window = {
          ...(from === undefined ? {} : { from: BEGUN + from }),
          ...(to === undefined ? {} : { to: BEGUN + to }),
        };
        const expected = events
          .filter(({ organization }) => organization === 'org_1')
          .filter((each) => each.at >= (window.from ?? 0) && each.at < (window.to ?? Number.POSITIVE_INFINITY))
          .map((each) => each.position)
          .reverse();
        expect(await list(window)).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });
});
