import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  type AuditListing,
  type Database,
  type EventListing,
  fanOutEvents,
  findEvent,
  listAudit,
  listEvents,
  migrate,
  type NewAuditEntry,
  openDatabase,
  type Queryable,
  recordAudit,
  replayEvents,
  transaction,
} from '@carcosa/database';
import { retainAudit, retainEvents, sealAudit } from '@carcosa/domain';
import { ManualClock, silentLogger } from '@carcosa/kernel';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fillAudit, fillEvents } from '../support/many-rows.ts';
import { PlanRecorder } from '../support/plan-recorder.ts';
import { rowsRead } from '../support/plans.ts';

/** One a second: four months. */
const ROWS = Number(process.env.CARCOSA_SOAK_ROWS ?? 10_000_000);
const BEGUN = Date.UTC(2026, 0, 1);
const ENDED = BEGUN + ROWS * 1000;
const LONG = ['events', 'audit_entries', 'audit_seals', 'webhook_deliveries'];
const LIMIT = 51;
const DAY = 24 * 3_600_000;
/** Rows that retention has to remove: three batches of each. */
const DUE = 2_500;

let directory: string;
let database: Database;
const told: string[] = [];

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'carcosa-long-history-'));
  database = await openDatabase({ directory, logger: silentLogger, statementTimeout: 3_600_000 });
  await migrate(database, { logger: silentLogger });
  const client = await database.pool.connect();
  try {
    await client.query(`set maintenance_work_mem = '256MB'`);
    await client.query('set synchronous_commit = off');
    await client.query(
      `insert into plans (name, quotas, audit_retention_days, event_retention_days, created_at, updated_at) values ('short', '{}', 30, 30, now(), now())`,
    );
    await client.query(
      `insert into organizations (id, name, slug, plan, created_at) values ('org_0', 'o', 'o', 'short', now())`,
    );
    await timed(`${ROWS} events filled in`, () => fillEvents(client, { rows: ROWS, begun: BEGUN }));
    await timed(`${ROWS} audit entries filled in`, () => fillAudit(client, { rows: ROWS, begun: BEGUN }));
  } finally {
    client.release();
  }
}, 3_600_000);
afterAll(async () => {
  process.stdout.write(`${told.join('\n')}\n`);
  await database?.close();
  await rm(directory, { recursive: true, force: true });
});

async function timed<Result>(what: string, work: () => Promise<Result>): Promise<Result> {
  const begun = performance.now();
  const result = await work();
  told.push(`${what}: ${Math.round(performance.now() - begun)} ms`);
  return result;
}

/** Does it, and holds that each of its statements came to its rows by an index and read no more than so many. */
async function expectByIndex<Result>(
  what: string,
  most: number,
  work: (db: Queryable) => Promise<Result>,
): Promise<Result> {
  return await transaction(database.pool, async (tx) => {
    const recorder = new PlanRecorder(tx);
    const result = await work(recorder);
    for (const { text, nodes, milliseconds } of recorder.plans) {
      const scanned = nodes.filter(
        (node) => node['Node Type'] === 'Seq Scan' && LONG.includes(node['Relation Name'] ?? ''),
      );
      expect(scanned, `${what}: ${text}`).toEqual([]);
      expect(rowsRead(nodes), `${what}: ${text} ${JSON.stringify(nodes)}`).toBeLessThanOrEqual(most);
      const indexes = nodes.flatMap((node) => node['Index Name'] ?? []);
      told.push(
        `${what}: ${milliseconds.toFixed(1)} ms, ${rowsRead(nodes)} rows, ${[...new Set(indexes)].join(' ') || 'no index'}`,
      );
    }
    return result;
  });
}

describe(`with ${ROWS} events`, () => {
  const middle = BEGUN + (ROWS / 2) * 1000;
  const questions: [string, Partial<EventListing>, number][] = [
    ['the newest of an organization', {}, LIMIT],
    ['a page far back', { after: Math.floor(ROWS / 3) }, LIMIT],
    ['of an organization that did nothing of late', { organizationId: 'org_silent' }, 3],
    ['of a project', { projectId: 'prj_2' }, LIMIT * 3],
    ['of a tenant', { tenantId: 'ten_10' }, LIMIT * 3],
    ['of a file', { resourceId: 'file_77' }, LIMIT],
    ['of a file that is not there', { resourceId: 'file_x' }, LIMIT],
    ['of an hour long ago', { from: middle, to: middle + 3_600_000 }, 25_000],
    ['of an hour long ago in a project', { projectId: 'prj_2', from: middle, to: middle + 3_600_000 }, 25_000],
  ];
  it.each(questions)('finds those %s by an index', async (what, listing, most) => {
    const query = { publicUrl: 'http://x', organizationId: 'org_0', limit: LIMIT, ...listing };
    const rows = await expectByIndex(`events, ${what}`, most, (db) => listEvents(db, query));
    expect(rows.length > 0).toBe(what !== 'of a file that is not there');
  });

  it('finds one by its id', async () => {
    const id = `evt_${String(Math.floor(ROWS / 2)).padStart(26, '0')}`;
    expect((await expectByIndex('one event', 1, (db) => findEvent(db, id, 'http://x')))?.id).toBe(id);
  });

  it('turns those of the queue into deliveries, and queues those of an hour once more', async () => {
    await database.pool.query(
      `insert into webhooks (id, organization_id, url, description, events, event_types, secret, created_at, updated_at)
       values ('whk_1', 'org_0', 'https://x.invalid', '', '{*}', '{file.created,file.replaced,file.trashed}', '', now(), now())`,
    );
    await database.pool.query('insert into event_queue select i from generate_series($1::bigint, $2::bigint) i', [
      ROWS - 199,
      ROWS,
    ]);
    const taken = await expectByIndex('fan-out of 200 events', 5_000, (db) => fanOutEvents(db, 200, ENDED));
    expect(taken).toBe(200);
    const replay = {
      webhookId: 'whk_1' as never,
      from: middle,
      to: middle + 3_600_000,
      onlyUndelivered: true,
      limit: 1000,
      now: ENDED,
    };
    const replayed = await expectByIndex('replay of an hour', 40_000, (db) => replayEvents(db, replay));
    expect(replayed).toBe(1000);
  });

  it('removes what is too old in small steps', async () => {
    const clock = new ManualClock(BEGUN + DUE * 2 * 1000 + 30 * DAY);
    const removed = await expectByIndex('retention of events', 4_000, (db) => retainEvents({ db, clock }));
    expect(removed).toBeGreaterThanOrEqual(DUE - 2);
    expect(removed).toBeLessThanOrEqual(DUE);
  });
});

describe(`with ${ROWS} audit entries`, () => {
  const middle = BEGUN + (ROWS / 2) * 1000;
  const questions: [string, Partial<AuditListing>, number][] = [
    ['the newest of an organization', {}, LIMIT],
    ['a page far back', { after: { at: middle, id: Math.floor(ROWS / 2) } }, LIMIT],
    ['of a project', { projectId: 'prj_2' }, LIMIT * 3],
    ['of a tenant', { tenantId: 'ten_10' }, LIMIT * 3],
    ['of a file', { resourceId: 'file_77' }, LIMIT],
    ['of a key', { actorId: 'key_2' }, LIMIT],
    ['of an action that is rare', { organizationId: 'org_1', action: 'project.update' }, LIMIT],
    ['that were refused', { organizationId: 'org_7', result: 'refused' }, LIMIT],
    ['of an hour long ago', { from: middle, to: middle + 3_600_000 }, LIMIT],
  ];
  // Each row of a page looks for its seal.
  it.each(questions)('finds those %s by an index', async (what, listing, most) => {
    const query = { organizationId: 'org_0', limit: LIMIT, ...listing };
    const rows = await expectByIndex(`audit, ${what}`, most * 2, (db) => listAudit(db, query));
    expect(rows.length).toBeGreaterThan(0);
  });

  it('records and seals at the end of what is there', async () => {
    const entry: NewAuditEntry = {
      ...{
        at: ENDED,
        organizationId: 'org_0',
        projectId: null,
        tenantId: null,
        actorType: 'system',
        actorId: 'system',
      },
      ...{ ipAddress: null, userAgent: null, requestId: null, action: 'project.update', resourceType: 'project' },
      ...{ resourceId: 'prj_2', before: null, after: { name: 'x' }, result: 'success' },
    };
    await timed('2,000 entries with their events, in groups of 50', async () => {
      for (let group = 0; group < 40; group++)
        await recordAudit(
          database.pool,
          Array.from({ length: 50 }, () => entry),
        );
    });
    const sealed = await expectByIndex('sealing', 6_000, (db) => sealAudit({ transaction: (work) => work(db) }));
    expect(sealed).toBe(2_000);
  });

  it('removes what is too old in small steps', async () => {
    const clock = new ManualClock(BEGUN + DUE * 2 * 1000 + 30 * DAY);
    const transactionOf = (db: Queryable) => ({
      db,
      transaction: <Result>(work: (tx: Queryable) => Promise<Result>) => work(db),
      clock,
    });
    const removed = await expectByIndex('retention of the audit log', 6_000, (db) => retainAudit(transactionOf(db)));
    expect(removed).toBeGreaterThanOrEqual(DUE - 2);
    expect(removed).toBeLessThanOrEqual(DUE);
  });
});
