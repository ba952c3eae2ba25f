import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, truncate, unlink, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import path from 'node:path';
import { processIdentity } from '@carcosa/kernel/node';
import { DiskWorkers, LocalObjectStore } from '@carcosa/storage/adapters/local';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const KEYS = ['org/team/prj/a~obj_1.bin', 'org/team/prj/deep/er/b~obj_2.bin', 'org/team/prj/c~obj_3'];
const contentOf = (key: string) => Buffer.alloc(20_000, key);

describe('small files in a local bucket', () => {
  let root: string;
  let workers: DiskWorkers;

  beforeEach(async () => {
    root = await mkdtemp(path.join(tmpdir(), 'carcosa-journal-'));
    workers = new DiskWorkers();
  });
  afterEach(async () => {
    await workers.close();
    await rm(root, { recursive: true, force: true });
  });

  const fileOf = (key: string) => path.join(root, 'objects', key);
  const journals = () => readdir(path.join(root, 'journal')).catch(() => []);
  /** A bucket with these files, as a process leaves it that was killed at once. Answers with the names of its journals. */
  async function left(): Promise<string[]> {
    const store = await LocalObjectStore.open({ root, workers });
    await Promise.all(KEYS.map((key) => store.whole.put(key, new Uint8Array(contentOf(key)))));
    await workers.close();
    workers = new DiskWorkers();
    return journals();
  }
  /** Gives the journals another owner. */
  async function disown(owner: string): Promise<void> {
    for (const name of await journals()) {
      const heir = name.replace(/^[A-Za-z0-9.]+-/, `${owner}-`);
      await writeFile(path.join(root, 'journal', heir), await readFile(path.join(root, 'journal', name)));
      await unlink(path.join(root, 'journal', name));
    }
  }
  const machine = createHash('sha256').update(hostname()).digest('hex').slice(0, 12);
  const DEAD = `${machine}.999999999.1.0000`;

  it('are in the journal until the bucket is closed, and whole where they belong', async () => {
    const store = await LocalObjectStore.open({ root, workers });
    await Promise.all(KEYS.map((key) => store.whole.put(key, new Uint8Array(contentOf(key)))));
    for (const key of KEYS) expect(await readFile(fileOf(key))).toEqual(contentOf(key));
    expect(await journals()).toHaveLength(1);
    await store.close();
    expect(await journals()).toEqual([]);
    for (const key of KEYS) expect(await readFile(fileOf(key))).toEqual(contentOf(key));
  });

  it('are whole again after a power cut took or tore them', async () => {
    expect(await left()).toHaveLength(1);
    await disown(DEAD);
    const [gone, torn, kept] = KEYS as [string, string, string];
    await rm(path.dirname(fileOf(gone)), { recursive: true });
    await mkdir(path.dirname(fileOf(torn)), { recursive: true });
    await writeFile(fileOf(torn), Buffer.alloc(20_000));
    await writeFile(fileOf(kept), contentOf(kept));
    const store = await LocalObjectStore.open({ root, workers });
    for (const key of KEYS) expect(await readFile(fileOf(key))).toEqual(contentOf(key));
    expect([...store.recovered].sort()).toEqual([gone, torn].sort());
    await expect.poll(journals).toEqual([]);
    expect(await readdir(path.join(root, 'staging'))).toEqual([]);
    await store.close();
  });

  it('are as many as the journal holds whole', async () => {
    const [name] = await left();
    await disown(DEAD);
    const journal = path.join(root, 'journal', (await journals())[0] as string);
    await truncate(journal, 30_000);
    await rm(path.join(root, 'objects'), { recursive: true });
    const store = await LocalObjectStore.open({ root, workers });
    expect(name).toBeDefined();
    expect(store.recovered).toHaveLength(1);
    expect(KEYS.filter((key) => existsSync(fileOf(key)))).toEqual(store.recovered);
    await store.close();
  });

  it('of a process that runs are left to it', async () => {
    await left();
    await disown(`${machine}.${process.pid}.${await processIdentity(process.pid)}`);
    const names = await journals();
    await unlink(fileOf(KEYS[0] as string));
    const store = await LocalObjectStore.open({ root, workers });
    expect(store.recovered).toEqual([]);
    await store.close();
    expect(await journals()).toEqual(names);
  });

  it('of another machine are made whole, and its journal is kept while it may still run', async () => {
    await left();
    await disown('0123456789ab.1.2.3');
    await unlink(fileOf(KEYS[0] as string));
    const first = await LocalObjectStore.open({ root, workers });
    expect(first.recovered).toEqual([KEYS[0]]);
    await first.close();
    const names = await journals();
    expect(names).toHaveLength(1);
    const longAgo = new Date(Date.now() - 11 * 60_000);
    await utimes(path.join(root, 'journal', names[0] as string), longAgo, longAgo);
    const second = await LocalObjectStore.open({ root, workers });
    await expect.poll(journals).toEqual([]);
    await second.close();
  });

  it('that were deleted do not come back when their journal was settled', async () => {
    const store = await LocalObjectStore.open({ root, workers });
    const key = KEYS[0] as string;
    await store.whole.put(key, new Uint8Array(contentOf(key)));
    await store.delete(key);
    await store.close();
    const again = await LocalObjectStore.open({ root, workers });
    expect(again.recovered).toEqual([]);
    expect(existsSync(fileOf(key))).toBe(false);
    await again.close();
  });

  it('never take the place of another', async () => {
    const store = await LocalObjectStore.open({ root, workers });
    const key = KEYS[0] as string;
    await store.whole.put(key, new Uint8Array(contentOf(key)));
    await expect(store.whole.put(key, new Uint8Array(5))).rejects.toMatchObject({ code: 'conflict' });
    expect(await readFile(fileOf(key))).toEqual(contentOf(key));
    await store.close();
  });
});
