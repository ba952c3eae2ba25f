import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { withLock } from './lock.mjs';

let folder;
let file;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'carcosa-lock-'));
  file = join(folder, 'deep', 'lock');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('lets one in at a time', async () => {
  let inside = 0;
  const visits = [];
  const visit = () =>
    withLock(file, 'testing', async () => {
      inside += 1;
      visits.push(inside);
      await new Promise(setImmediate);
      inside -= 1;
    });
  await Promise.all([visit(), visit(), visit()]);
  expect(visits).toEqual([1, 1, 1]);
  expect(existsSync(file)).toBe(false);
});

it('is given back when the work fails', async () => {
  await expect(withLock(file, 'testing', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(existsSync(file)).toBe(false);
});

it('is taken over from a process that is gone', async () => {
  const gone = spawnSync(process.execPath, ['-e', '']).pid;
  await withLock(file, 'testing', () => {});
  writeFileSync(file, String(gone));
  expect(await withLock(file, 'testing', () => 'in')).toBe('in');
});
