import type { HeldFile } from '@carcosa/database';
import type { FileId } from '@carcosa/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planChanges, type WantedChange, wantedPaths } from './change-plan.ts';

const file = (id: string, path: string, more: Partial<HeldFile> = {}): HeldFile => ({
  id: id as FileId,
  path,
  tenantId: '',
  isLive: true,
  ...more,
});
const codes = (errors: Map<number, { code: string }>) =>
  Object.fromEntries([...errors].map(([position, { code }]) => [position, code]));

describe('planChanges', () => {
  it('makes several changes of a file one', () => {
    const wanted = [
      { id: 'a', path: 'x/1', tags: ['t'] },
      { id: 'a', rename: '2' },
      { id: 'a', visibility: 'public' as const, tags: undefined },
    ];
    expect(planChanges('live', wanted, { held: [file('a', 'a')], taken: [] })).toEqual({
      changes: [{ id: 'a', path: 'x/2', folder: 'x', name: '2', tags: ['t'], visibility: 'public' }],
      givingUp: [],
      errors: new Map(),
    });
  });

  it('lets a path pass from hand to hand', () => {
    const held = [file('a', '1'), file('b', '2')];
    const plan = planChanges(
      'live',
      [
        { id: 'b', path: '3' },
        { id: 'a', path: '2' },
      ],
      { held, taken: [] },
    );
    expect(plan).toMatchObject({
      givingUp: ['b'],
      changes: [
        { id: 'b', path: '3' },
        { id: 'a', path: '2' },
      ],
    });
    expect(
      codes(
        planChanges(
          'live',
          [
            { id: 'a', path: '2' },
            { id: 'b', path: '3' },
          ],
          { held, taken: [] },
        ).errors,
      ),
    ).toEqual({ 0: 'path_taken' });
  });

  it('keeps to the paths of others, of the same tenant', () => {
    const taken = [{ tenantId: 't', path: 'x' }];
    const held = [file('a', 'a'), file('b', 'b', { tenantId: 't' })];
    expect(
      codes(
        planChanges(
          'live',
          [
            { id: 'a', path: 'x' },
            { id: 'b', path: 'x' },
          ],
          { held, taken },
        ).errors,
      ),
    ).toEqual({ 1: 'path_taken' });
  });

  it('restores the first of twins, and leaves live files as they are', () => {
    const held = [file('a', 'x', { isLive: false }), file('b', 'x', { isLive: false }), file('c', 'y')];
    const plan = planChanges('trashed', [{ id: 'b' }, { id: 'a' }, { id: 'c', path: 'z' }, { id: 'b' }], {
      held,
      taken: [],
    });
    expect(codes(plan.errors)).toEqual({ 1: 'path_taken' });
    expect(plan.changes).toMatchObject([{ id: 'b', path: 'x' }]);
  });

  it('says what is wrong with each item', () => {
    const held = [file('t', 't', { isLive: false }), file('a', 'folder/a')];
    const wanted = [{ id: 'none' }, { id: 't', tags: [] }, { id: 'a', rename: 'x'.repeat(1020) }];
    expect(codes(planChanges('live', wanted, { held, taken: [] }).errors)).toEqual({
      0: 'not_found',
      1: 'conflict',
      2: 'invalid_path',
    });
  });

  // The plan is made at once; the world that it is measured by goes step by step.
  it('ends where doing one after the other ends, for any changes', () => {
    const name = fc.constantFrom('1', '2', '3', '4', 'd/1');
    const heldFiles = fc.uniqueArray(
      fc.record({ id: fc.constantFrom('a', 'b', 'c', 'd'), path: name, isLive: fc.boolean() }),
      { selector: ({ id }) => id },
    );
    const others = fc.subarray(['3', '4', 'd/1']);
    const changes = fc.array(
      fc.record({ id: fc.constantFrom('a', 'b', 'c', 'd', 'none'), path: fc.option(name, { nil: undefined }) }),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(
        heldFiles,
        others,
        changes,
        fc.constantFrom('live' as const, 'trashed' as const),
        (seeds, otherPaths, wanted, from) => {
          const seen = new Set(otherPaths);
          const held = seeds.map(({ id, path, isLive }) => {
            const isFirst = isLive && !seen.has(path);
            if (isFirst) seen.add(path);
            return file(id, path, { isLive: isFirst });
          });
          const taken = otherPaths
            .filter((path) => wantedPaths(from, wanted, held).includes(path))
            .map((path) => ({ tenantId: '', path }));
          const plan = planChanges(from, wanted, { held, taken });
          const { files, failed } = oneByOne(from, wanted, held, otherPaths);
          expect([...plan.errors.keys()]).toEqual(failed);
          const after = new Map(held.map(({ id, path, isLive }) => [id as string, { path, isLive }]));
          for (const { id, path } of plan.changes) after.set(id, { path: path as string, isLive: true });
          expect(after).toEqual(files);
          // Whoever gets a path that a held file had, that file is among those that give theirs up.
          for (const { id, path } of plan.changes) {
            const before = held.find((other) => other.isLive && other.path === path && other.id !== id);
            if (before) expect(plan.givingUp).toContain(before.id);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});

function oneByOne(
  from: 'live' | 'trashed',
  wanted: readonly WantedChange[],
  held: readonly HeldFile[],
  others: readonly string[],
) {
  const files = new Map(held.map(({ id, path, isLive }) => [id as string, { path, isLive }]));
  const failed: number[] = [];
  for (const [position, { id, path }] of wanted.entries()) {
    const own = files.get(id);
    const isThere = own !== undefined && (from === 'trashed' || own.isLive);
    const target = path ?? own?.path ?? '';
    const isTaken =
      others.includes(target) ||
      [...files].some(([other, { path: at, isLive }]) => other !== id && isLive && at === target);
    if (from === 'trashed' && own?.isLive) continue;
    if (!isThere || isTaken) failed.push(position);
    else files.set(id, { path: target, isLive: true });
  }
  return { files, failed };
}
