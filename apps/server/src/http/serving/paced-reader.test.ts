import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PacedReader } from './paced-reader.ts';

const content = Buffer.from(Array.from({ length: 1000 }, (_, i) => i % 251));
let directory: string;
let fd: number;
beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'paced-reader-'));
  writeFileSync(path.join(directory, 'file'), content);
  fd = openSync(path.join(directory, 'file'), 'r');
});
afterAll(() => {
  closeSync(fd);
  rmSync(directory, { recursive: true });
});

/** A reader whose reads take as long as the test says, and come from a device if it says so. */
function setUp() {
  const state = { time: 0, duration: 0.1, devices: 0 };
  let isEnd = false;
  const now = () => {
    if (isEnd) state.time += state.duration;
    isEnd = !isEnd;
    return state.time;
  };
  const reader = new PacedReader({ now, deviceReads: () => state.devices });
  const readsAtOnce = async (): Promise<boolean> => {
    const read = reader.read(fd, Buffer.alloc(10), 10, 0);
    expect(await read).toBe(10);
    return typeof read === 'number';
  };
  return { state, readsAtOnce };
}

describe('PacedReader', () => {
  it.each([[0.1], [5]])('gives the bytes, fewer at the end of the file; with reads of %d ms', async (duration) => {
    const { state, readsAtOnce } = setUp();
    Object.assign(state, { duration, devices: 1 });
    await readsAtOnce();
    const reader = new PacedReader();
    const buffer = Buffer.alloc(2000);
    expect(await reader.read(fd, buffer, 100, 50)).toBe(100);
    expect(buffer.subarray(0, 100)).toEqual(content.subarray(50, 150));
    expect(await reader.read(fd, buffer, 2000, 900)).toBe(100);
    expect(await reader.read(fd, buffer, 10, 5000)).toBe(0);
  });

  it('leaves the thread after a read from a slow device, longer each time, and comes back', async () => {
    const { state, readsAtOnce } = setUp();
    const slow = async () => {
      Object.assign(state, { duration: 10, devices: state.devices + 1 });
      expect(await readsAtOnce()).toBe(true);
      state.duration = 0.1;
    };
    for (const pause of [100, 200, 400]) {
      await slow();
      expect(await readsAtOnce()).toBe(false);
      state.time += pause - 1;
      expect(await readsAtOnce()).toBe(false);
      state.time += 2;
    }
    expect(await readsAtOnce()).toBe(true);
  });

  it('comes back early when all is in the page cache, later after each slow read', async () => {
    const { state, readsAtOnce } = setUp();
    for (const count of [32, 64]) {
      Object.assign(state, { duration: 10, devices: state.devices + 1 });
      expect(await readsAtOnce()).toBe(true);
      state.duration = 0.01;
      for (let i = 0; i < count; i++) expect(await readsAtOnce()).toBe(false);
      expect(await readsAtOnce()).toBe(true);
    }
    // One that is slow in between begins the count anew.
    Object.assign(state, { duration: 10, devices: state.devices + 1 });
    await readsAtOnce();
    for (let i = 0; i < 130; i++) {
      state.duration = i === 100 ? 10 : 0.01;
      expect(await readsAtOnce()).toBe(false);
    }
  });

  it('trusts a device again after many quick reads', async () => {
    const { state, readsAtOnce } = setUp();
    for (let i = 0; i < 5; i++) {
      Object.assign(state, { duration: 10, devices: state.devices + 1, time: state.time + 100_000 });
      await readsAtOnce();
    }
    Object.assign(state, { duration: 0.1, time: state.time + 100_000 });
    for (let i = 0; i < 1000; i++) await readsAtOnce();
    Object.assign(state, { duration: 10, devices: 9 });
    await readsAtOnce();
    state.time += 101;
    expect(await readsAtOnce()).toBe(true);
  });

  it('does not mistake a busy processor for a slow disk', async () => {
    const { state, readsAtOnce } = setUp();
    state.duration = 20;
    expect(await readsAtOnce()).toBe(true);
    expect(await readsAtOnce()).toBe(true);
    // Some file systems do not count their reads.
    state.duration = 150;
    await readsAtOnce();
    expect(await readsAtOnce()).toBe(false);
  });

  it('fails as the system does, either way', async () => {
    const folder = openSync(directory, 'r');
    const times = [0, 200, 250];
    const reader = new PacedReader({ now: () => times.shift() ?? 250 });
    expect(() => new PacedReader().read(folder, Buffer.alloc(1), 1, 0)).toThrow('EISDIR');
    await reader.read(fd, Buffer.alloc(1), 1, 0);
    await expect(reader.read(folder, Buffer.alloc(1), 1, 0)).rejects.toThrow('EISDIR');
    closeSync(folder);
  });
});
