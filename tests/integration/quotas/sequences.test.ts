import { Readable } from 'node:stream';
import type { File } from '@carcosa/contracts';
import { type Actor, SYSTEM } from '@carcosa/domain';
import { isCarcosaError } from '@carcosa/kernel';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { databaseKinds } from '../../support/database.ts';
import { QuotaWorld, type Scopes } from './support.ts';

const HOUR = 3_600_000;
const LIMITS = { bytes: 1000, files: 6, uploadBytes: 2500 };

interface Model {
  /** Sizes of the versions of each file, with their tenant. */
  files: Map<string, { sizes: number[]; current: number; tenant: boolean; path: string }>;
  /** Open uploads by id: null is a length that is not known yet. */
  open: Map<string, { size: number | null; tenant: boolean; path: string }>;
  uploaded: number;
}

interface World {
  quotas: QuotaWorld;
  scopes: Scopes;
  actor: Actor;
  model: Model;
}

type Operation = (world: World) => Promise<void>;

const sum = (numbers: Iterable<number>): number => [...numbers].reduce((total, each) => total + each, 0);
const stored = ({ files }: Model) => sum([...files.values()].flatMap(({ sizes }) => sizes));
const reserved = ({ open }: Model) => sum([...open.values()].map(({ size }) => size ?? 0));

/** Whether all that limits the project has room for so much more. */
function fits(model: Model, more: { bytes?: number; files?: number; uploads?: number }): boolean {
  const { bytes = 0, files = 0, uploads = 0 } = more;
  return (
    stored(model) + reserved(model) + bytes <= LIMITS.bytes &&
    model.files.size + model.open.size + files <= LIMITS.files &&
    model.uploaded + reserved(model) + uploads <= LIMITS.uploadBytes
  );
}

/** Does it, or is refused: as the model says. */
async function expectRefusal<Result>(allowed: boolean, work: () => Promise<Result>): Promise<Result | null> {
  try {
    const result = await work();
    expect(allowed, 'it passed a quota').toBe(true);
    return result;
  } catch (error) {
    if (!isCarcosaError(error, 'quota_exceeded')) throw error;
    expect(allowed, `it was refused although there is room: ${JSON.stringify(error.details)}`).toBe(false);
    return null;
  }
}

const pick = <Item>(items: Iterable<Item>, index: number): Item | undefined => {
  const all = [...items];
  return all[index % Math.max(1, all.length)];
};

const bodyOf = (size: number) => Readable.from(size === 0 ? [] : [Buffer.alloc(size, 'x')]);

function filed({ model }: World, file: File, size: number, tenant: boolean): void {
  const known = model.files.get(file.id);
  if (known) {
    known.sizes.push(size);
    known.current = size;
  } else model.files.set(file.id, { sizes: [size], current: size, tenant, path: file.path });
  model.uploaded += size;
}

const operations = {
  create:
    (size: number | null, path: string, tenant: boolean): Operation =>
    async ({ quotas, scopes, actor, model }) => {
      const tenantId = tenant ? scopes.tenantId : undefined;
      const allowed = fits(model, { bytes: size ?? 0, files: 1, uploads: size ?? 0 });
      const upload = await expectRefusal(allowed, () =>
        quotas.carcosa.uploads.create(actor, { door: 'tus', path, size, tenantId }),
      );
      if (upload) model.open.set(upload.id, { size, tenant, path });
    },
  simple:
    (size: number, path: string, isKnown: boolean): Operation =>
    async (world) => {
      const { quotas, actor, model } = world;
      const allowed = fits(model, { bytes: size, files: 1, uploads: size });
      const input = { door: 'simple' as const, path, size: isKnown ? size : null };
      const done = await expectRefusal(allowed, () =>
        quotas.carcosa.uploads.createAndWrite(actor, input, { body: bodyOf(size), length: isKnown ? size : null }),
      );
      if (done?.file) filed(world, done.file, size, false);
    },
  write:
    (index: number, told: number): Operation =>
    async (world) => {
      const { quotas, actor, model } = world;
      const [id, upload] = pick(model.open, index) ?? [];
      if (!id || !upload) return;
      const size = upload.size ?? told;
      const allowed = upload.size !== null || fits(model, { bytes: size, uploads: size });
      const input = { body: bodyOf(size), offset: 0, length: size, ...(upload.size === null ? { size } : {}) };
      const done = await expectRefusal(allowed, () => quotas.carcosa.uploads.write(actor, id, input));
      if (!done?.file) return;
      model.open.delete(id);
      filed(world, done.file, size, upload.tenant);
    },
  abort:
    (index: number): Operation =>
    async ({ quotas, actor, model }) => {
      const [id] = pick(model.open, index) ?? [];
      if (!id) return;
      await quotas.carcosa.uploads.abort(actor, id);
      model.open.delete(id);
    },
  expire:
    (): Operation =>
    async ({ quotas, model }) => {
      quotas.clock.advance(25 * HOUR);
      await quotas.carcosa.garbage.collect();
      model.open.clear();
    },
  purge:
    (index: number): Operation =>
    async ({ quotas, actor, model }) => {
      const [id] = pick(model.files, index) ?? [];
      if (!id) return;
      await quotas.carcosa.files.purge(actor, { id });
      model.files.delete(id);
    },
  trash:
    (index: number): Operation =>
    async ({ quotas, actor, model }) => {
      const [id, file] = pick(model.files, index) ?? [];
      if (!id || !file) return;
      // In the trash it counts on; its path is free.
      await quotas.carcosa.files.trash(actor, { id });
      file.path = '';
    },
  copy:
    (index: number, to: string): Operation =>
    async ({ quotas, actor, model }) => {
      const [id, file] =
        pick(
          [...model.files].filter(([, { path }]) => path !== ''),
          index,
        ) ?? [];
      if (!id || !file) return;
      if ([...model.files.values()].some((each) => each.path === to && each.tenant === file.tenant)) return;
      const allowed = fits(model, { bytes: file.current, files: 1 });
      const made = await expectRefusal(allowed, () => quotas.carcosa.files.copy(actor, { id }, { path: to }));
      if (made)
        model.files.set(made.id, { sizes: [file.current], current: file.current, tenant: file.tenant, path: to });
    },
  restoreVersion:
    (index: number): Operation =>
    async ({ quotas, actor, model }) => {
      const candidates = [...model.files].filter(([, { path, sizes }]) => path !== '' && sizes.length > 1);
      const [id, file] = pick(candidates, index) ?? [];
      const [first] = file?.sizes ?? [];
      if (!id || !file || first === undefined) return;
      const allowed = fits(model, { bytes: first });
      const made = await expectRefusal(allowed, () => quotas.carcosa.files.restoreVersion(actor, { id, version: 1 }));
      if (!made) return;
      file.sizes.push(first);
      file.current = first;
    },
};

const size = fc.integer({ min: 0, max: 450 });
const index = fc.nat(10);
const path = fc.constantFrom('a', 'b', 'c', 'd');
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(fc.option(size), path, fc.boolean()).map((args) => operations.create(...args)) },
  { weight: 4, arbitrary: fc.tuple(size, path, fc.boolean()).map((args) => operations.simple(...args)) },
  { weight: 5, arbitrary: fc.tuple(index, size).map((args) => operations.write(...args)) },
  { weight: 2, arbitrary: index.map((at) => operations.abort(at)) },
  { weight: 1, arbitrary: fc.constant(operations.expire()) },
  { weight: 3, arbitrary: index.map((at) => operations.purge(at)) },
  { weight: 1, arbitrary: index.map((at) => operations.trash(at)) },
  { weight: 2, arbitrary: fc.tuple(index, path).map((args) => operations.copy(...args)) },
  { weight: 2, arbitrary: index.map((at) => operations.restoreVersion(at)) },
);

describe.each(databaseKinds())('quotas through any sequence, on %s', (kind) => {
  let quotas: QuotaWorld;
  beforeAll(async () => {
    quotas = await QuotaWorld.open(kind);
  });
  afterAll(() => quotas.close());

  async function counters({ projectId, tenantId, organizationId }: Scopes): Promise<Record<string, number>> {
    const { rows } = await quotas.database.pool.query<{ name: string; used: string; reserved: string }>(
      `select case scope_id when $1 then 'project' when $2 then 'tenant' else 'organization' end || ' ' || metric as name, used, reserved
       from quota_counters where scope_id in ($1, $2, $3)`,
      [projectId, tenantId, organizationId],
    );
    return Object.fromEntries(
      rows.flatMap(({ name, used, reserved }) => [
        [`${name} used`, Number(used)],
        [`${name} reserved`, Number(reserved)],
      ]),
    );
  }

  it('what is used and reserved is what a model says, and nothing passes a limit', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 10, maxLength: 40 }), async (sequence) => {
        const scopes = await quotas.scopes();
        const { quotaSettings, apiKeys } = quotas.carcosa;
        await quotaSettings.setProject(SYSTEM, scopes.projectId, LIMITS);
        // Far away: they only count.
        await quotaSettings.setTenant(SYSTEM, scopes.tenantId, { bytes: 1_000_000 });
        await quotaSettings.setOrganization(SYSTEM, scopes.organizationId, { quotas: { files: 1000 } });
        const actor = await apiKeys.authenticate(scopes.key);
        const model: Model = { files: new Map(), open: new Map(), uploaded: 0 };
        const month = new Date(quotas.clock.now()).getUTCMonth();
        for (const each of sequence) {
          await each({ quotas, scopes, actor, model });
          if (new Date(quotas.clock.now()).getUTCMonth() !== month) return;
          const ofTenant = [...model.files.values()].filter(({ tenant }) => tenant);
          const openOfTenant = [...model.open.values()].filter(({ tenant }) => tenant);
          expect(await counters(scopes)).toEqual({
            'project bytes used': stored(model),
            'project bytes reserved': reserved(model),
            'project files used': model.files.size,
            'project files reserved': model.open.size,
            'project uploadBytes used': model.uploaded,
            'project uploadBytes reserved': reserved(model),
            'tenant bytes used': sum(ofTenant.flatMap(({ sizes }) => sizes)),
            'tenant bytes reserved': sum(openOfTenant.map((upload) => upload.size ?? 0)),
            'organization files used': model.files.size,
            'organization files reserved': model.open.size,
          });
        }
        // A quota that is lifted and set again is counted anew, to the same.
        const before = await counters(scopes);
        await quotaSettings.setProject(SYSTEM, scopes.projectId, {});
        expect(await counters(scopes)).not.toHaveProperty('project bytes used');
        await quotaSettings.setProject(SYSTEM, scopes.projectId, { bytes: LIMITS.bytes, files: LIMITS.files });
        expect(before).toMatchObject(await counters(scopes));
      }),
      { numRuns: 12 },
    );
  });
});
