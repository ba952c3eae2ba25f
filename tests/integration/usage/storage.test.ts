import { Readable } from 'node:stream';
import type { UsageFigures } from '@carcosa/contracts';
import { type ApiKeyActor, foldUsageNow } from '@carcosa/domain';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databaseKinds } from '../../support/database.ts';
import { QuotaWorld } from '../quotas/support.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

interface Held {
  size: number;
  from: number;
  until: number;
}

interface Model {
  uploads: number;
  bytesIn: number;
  /** Contents that are or were stored. */
  held: Held[];
  /** What the versions of each file hold, and their path. */
  files: Map<string, { path: string; versions: Held[] }>;
}

type Step = (run: Run) => Promise<void>;

class Run {
  readonly model: Model = { uploads: 0, bytesIn: 0, held: [], files: new Map() };
  readonly world: QuotaWorld;
  readonly actor: ApiKeyActor;

  constructor(world: QuotaWorld, actor: ApiKeyActor) {
    this.world = world;
    this.actor = actor;
  }

  get now(): number {
    return this.world.clock.now();
  }

  hold(id: string, path: string, size: number): void {
    const held = { size, from: this.now, until: Number.POSITIVE_INFINITY };
    this.model.held.push(held);
    const known = this.model.files.get(id);
    if (known) known.versions.push(held);
    else this.model.files.set(id, { path, versions: [held] });
  }

  pick(index: number): [string, { path: string; versions: Held[] }] | undefined {
    const all = [...this.model.files];
    return all[index % Math.max(1, all.length)];
  }
}

const steps = {
  upload:
    (size: number, path: string, isKnown: boolean): Step =>
    async (run) => {
      const body = Readable.from(size === 0 ? [] : [Buffer.alloc(size, 'x')]);
      const length = isKnown ? size : null;
      const input = { door: 'simple' as const, path, size: length };
      const { file } = await run.world.carcosa.uploads.createAndWrite(run.actor, input, { body, length });
      if (!file) throw new Error('no file came of it');
      run.model.uploads += 1;
      run.model.bytesIn += size;
      run.hold(file.id, path, size);
    },
  copy:
    (index: number, path: string): Step =>
    async (run) => {
      const [id, file] = run.pick(index) ?? [];
      if (!id || !file || [...run.model.files.values()].some((each) => each.path === path)) return;
      const copy = await run.world.carcosa.files.copy(run.actor, { id }, { path });
      run.hold(copy.id, path, file.versions.at(-1)?.size ?? 0);
    },
  restore:
    (index: number): Step =>
    async (run) => {
      const [id, file] = run.pick(index) ?? [];
      if (!id || !file || file.versions.length < 2) return;
      await run.world.carcosa.files.restoreVersion(run.actor, { id, version: 1 });
      run.hold(id, file.path, file.versions[0]?.size ?? 0);
    },
  purge:
    (index: number): Step =>
    async (run) => {
      const [id, file] = run.pick(index) ?? [];
      if (!id || !file) return;
      await run.world.carcosa.files.purge(run.actor, { id });
      for (const held of file.versions) held.until = run.now;
      run.model.files.delete(id);
    },
  wait:
    (hours: number): Step =>
    async (run) => {
      run.world.clock.advance(Math.round(hours * HOUR));
    },
  fold: (): Step => async (run) => {
    const { inTransaction: transaction, clock, database } = run.world.carcosa;
    await foldUsageNow({ db: database.pool, transaction, clock });
  },
};

const path = fc.constantFrom('a', 'b', 'c');
const index = fc.nat(5);
const step = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(fc.nat(2000), path, fc.boolean()).map((args) => steps.upload(...args)) },
  { weight: 2, arbitrary: fc.tuple(index, path).map((args) => steps.copy(...args)) },
  { weight: 1, arbitrary: index.map(steps.restore) },
  { weight: 2, arbitrary: index.map(steps.purge) },
  { weight: 3, arbitrary: fc.double({ min: 0.01, max: 40, noNaN: true }).map(steps.wait) },
  { weight: 2, arbitrary: fc.constant(steps.fold()) },
);

/** Byte-hours between two instants. */
const byteHours = ({ held }: Model, from: number, to: number): number =>
  held.reduce(
    (sum, each) => sum + (each.size * Math.max(0, Math.min(each.until, to) - Math.max(each.from, from))) / HOUR,
    0,
  );

describe.each(databaseKinds())('what files add and take away, on %s', (kind) => {
  let world: QuotaWorld;
  beforeAll(async () => {
    world = await QuotaWorld.open(kind);
  });
  afterAll(() => world.close());

  it('is counted to the byte and the hour, whatever happens and whenever it is folded', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (sequence) => {
        const { key, projectId } = await world.scopes();
        const run = new Run(world, await world.carcosa.apiKeys.authenticate(key));
        const from = run.now;
        for (const each of sequence) await each(run);
        world.clock.advance(HOUR);
        const { model, now } = run;
        const range = { from: day(from), to: day(now) };
        const { usageReports } = world.carcosa;
        const overview = await usageReports.overview(run.actor, range);
        const { uploads, bytesIn } = model;
        expect(overview.totals).toMatchObject({ uploads, bytesIn });
        expect(overview.storedBytes).toBe(stored(model));
        expect(overview.totals.storageByteHours).toBeCloseTo(byteHours(model, 0, now), 2);
        const byDay = await usageReports.trends(run.actor, { ...range, interval: 'day' });
        for (const { value, storageByteHours } of byDay.points) {
          const begins = Date.parse(value);
          expect(storageByteHours).toBeCloseTo(byteHours(model, begins, Math.min(begins + DAY, now)), 2);
        }
        const byKey = await usageReports.breakdown(run.actor, { ...range, by: 'key', sort: 'bytesIn', limit: 10 });
        for (const { value } of byKey.items) expect(value).toBe(run.actor.id);
        expect(sum(byKey.items, 'uploads')).toBe(uploads);
        expect(projectId).toBe(run.actor.projectId);
      }),
      { numRuns: 20 },
    );
  });

  it('adds nothing where an upload is refused or comes twice, and is told by tenant, bucket and month', async () => {
    const { key, tenantId, projectId, organizationId } = await world.scopes();
    const actor = await world.carcosa.apiKeys.authenticate(key);
    const send = (query: string, size: number) =>
      fetch(`${world.node.url}/api/v1/files?${query}`, {
        method: 'POST',
        headers: { 'x-api-key': key },
        body: Buffer.alloc(size, 'x'),
      });
    await world.setProject(projectId, { bytes: 1500 });
    expect((await send('path=one', 1000)).status).toBe(201);
    expect((await send('path=two', 1000)).status).toBe(403);
    expect((await send(`path=three&tenantId=${tenantId}`, 500)).status).toBe(201);
    const { usageReports, clock } = world.carcosa;
    const range = { from: day(clock.now()), to: day(clock.now()) };
    const by = (dimension: 'tenant' | 'bucket' | 'month' | 'project') =>
      usageReports.breakdown(actor, { ...range, by: dimension, sort: 'value', limit: 10 });
    const tenants = (await by('tenant')).items.filter(({ uploads }) => uploads > 0);
    expect(tenants).toMatchObject([
      { value: '', name: null, uploads: 1, bytesIn: 1000 },
      { value: tenantId, name: 'n', uploads: 1, bytesIn: 500 },
    ]);
    expect((await by('bucket')).items.at(-1)).toMatchObject({ bytesIn: 1500, value: expect.stringMatching(/^bkt_/) });
    expect((await by('month')).items).toMatchObject([{ value: range.to.slice(0, 7), bytesIn: 1500, apiCalls: 3 }]);
    expect((await by('project')).items).toMatchObject([{ value: projectId, name: 'p' }]);
    const ofTenant = await usageReports.overview(actor, { ...range, tenantId });
    expect(ofTenant.totals.bytesIn).toBe(500);
    const whole = await usageReports.overview({ type: 'system' }, { ...range, organizationId });
    expect(whole.totals.bytesIn).toBe(1500);
  });
});

const day = (now: number): string => new Date(now).toISOString().slice(0, 10);
const sum = (items: readonly UsageFigures[], name: keyof UsageFigures): number =>
  items.reduce((total, each) => total + each[name], 0);
const stored = ({ files }: Model): number =>
  [...files.values()].flatMap(({ versions }) => versions).reduce((total, { size }) => total + size, 0);
