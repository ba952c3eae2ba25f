import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { decodeRecords } from './journal-record.ts';
import { JournaledSmallFiles } from './journaled-small-files.ts';

let root: string;
let files: JournaledSmallFiles;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'carcosa-journaled-'));
  mkdirSync(join(root, 'objects'));
  const place = { directory: join(root, 'journal'), objects: join(root, 'objects') };
  files = new JournaledSmallFiles(place, { owner: 'host.1.2', now: () => 0 });
});
afterEach(async () => {
  await files.settleAll();
  expect(files.closeIfSettled()).toBe(true);
  rmSync(root, { recursive: true });
});

function store(key: string): void {
  const [directory, objects] = [join(root, 'journal'), join(root, 'objects')];
  const content = new Uint8Array(1024 * 1024).fill(7);
  const stored = files.store([
    { id: 1, staged: null, target: join(objects, key), content, journal: { directory, objects, key } },
  ]);
  expect(stored?.refused.size).toBe(0);
}

const held = () =>
  readdirSync(join(root, 'journal'))
    .flatMap((name) => [...decodeRecords(readFileSync(join(root, 'journal', name)))])
    .map(({ key }) => key);

it('use a segment that several have settled at once for one purpose only', async () => {
  store('a');
  await Promise.all([files.settleAll(), files.settleAll()]);
  expect(held()).toEqual([]);
  const keys = ['b', 'c', 'd', 'e', 'f', 'g'];
  for (const key of keys) store(key);
  expect(held().sort()).toEqual(keys);
});
