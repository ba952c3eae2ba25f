import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodeRecords } from './journal-record.ts';
import { ownerOf, SmallFileJournal } from './small-file-journal.ts';

const KIB = 1024;

describe('the journal of small files', () => {
  let directory: string;
  let now = 0;
  let journal: SmallFileJournal;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'carcosa-journal-'));
    now = 0;
    journal = new SmallFileJournal({
      directory: join(directory, 'journal'),
      owner: 'host.1.2',
      now: () => now,
      segmentSize: 16 * KIB + 400,
    });
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const record = (key: string, size = 10) => ({ key, content: Buffer.alloc(size, key) });
  const segments = () => readdirSync(join(directory, 'journal'));
  const held = () =>
    segments().flatMap((name) =>
      [...decodeRecords(readFileSync(join(directory, 'journal', name)))].map(({ key }) => key),
    );
  const settle = (options?: { all?: boolean }) => {
    for (let segment = journal.dueToSettle(options); segment; segment = journal.dueToSettle(options))
      journal.settled(segment);
  };

  it('holds what was appended, in segments that name their owner', () => {
    journal.append([record('a'), record('b')]);
    journal.append([record('c')]);
    expect(held()).toEqual(['a', 'b', 'c']);
    expect(segments().map(ownerOf)).toEqual(['host.1.2']);
  });

  it('goes on in another segment where one is full, and takes more at once than one holds', () => {
    journal.append(Array.from({ length: 9 }, (_, index) => record(`k${index}`, KIB * 4)));
    expect(segments().length).toBeGreaterThan(2);
    expect(held().sort()).toEqual(Array.from({ length: 9 }, (_, index) => `k${index}`));
  });

  it('waits with full segments until the system has written their files, then forgets what is settled', () => {
    for (let index = 0; index < 4; index++) journal.append([record(`k${index}`, 12 * KIB)]);
    expect(journal.dueToSettle()).toBeNull();
    now = 41_000;
    expect(journal.dueToSettle()?.keys).toEqual(['k0']);
    settle();
    expect(held()).toEqual(['k3']);
    now = 82_000;
    journal.tidy();
    settle();
    expect(held()).toEqual([]);
    expect(journal.isEmpty).toBe(true);
  });

  it('uses settled segments again, and keeps only few', () => {
    for (let round = 0; round < 3; round++) {
      journal.append(Array.from({ length: 10 }, (_, index) => record(`r${round}-${index}`, KIB * 4)));
      settle({ all: true });
      expect(held()).toEqual([]);
      expect(segments().length).toBeLessThanOrEqual(16);
    }
    journal.close();
    expect(segments()).toEqual([]);
  });

  it('does not wait any more when much is waiting, and takes no more when too much is', () => {
    for (let index = 0; index < 18; index++) journal.append([record(`k${index}`, 12 * KIB)]);
    expect(journal.dueToSettle()?.keys).toEqual(['k0']);
    expect(journal.isFull).toBe(false);
    for (let index = 18; index < 66; index++) journal.append([record(`k${index}`, 12 * KIB)]);
    expect(journal.isFull).toBe(true);
    settle();
    expect(journal.isFull).toBe(false);
  });
});
