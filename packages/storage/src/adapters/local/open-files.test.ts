import { mkdtempSync, readdirSync, readlinkSync, readSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { OpenFiles, type OpenFilesOptions } from './open-files.ts';

let directory: string;
let files: OpenFiles;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'open-files-'));
  for (const key of ['a', 'b', 'c']) writeFileSync(path.join(directory, key), `content of ${key}`);
  files = make();
});
afterEach(() => {
  files.close();
  rmSync(directory, { recursive: true });
});

const make = (options: Partial<OpenFilesOptions> = {}) =>
  new OpenFiles({ locate: (key) => path.join(directory, key), ...options });

/** Descriptors of this process that lead into the directory. */
function descriptors(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(directory);
    } catch {
      return false;
    }
  }).length;
}
const untilDescriptors = (count: number) => vi.waitFor(() => expect(descriptors()).toBe(count));

function text({ fd, size }: { fd: number; size: number }): string {
  const buffer = Buffer.alloc(size);
  readSync(fd, buffer, 0, size, 0);
  return buffer.toString();
}

describe.runIf(process.platform === 'linux')('OpenFiles', () => {
  it('opens once for those who come together, and at once for who comes later', async () => {
    const [one, two] = await Promise.all([files.open('a'), files.open('a')]);
    expect(one.fd).toBe(two.fd);
    expect(text(one)).toBe('content of a');
    one.release();
    two.release();
    const again = files.open('a');
    expect(again).not.toBeInstanceOf(Promise);
    expect(descriptors()).toBe(1);
    (await again).release();
  });

  it('says not_found, and finds what comes later', async () => {
    await expect(files.open('missing')).rejects.toMatchObject({ code: 'not_found' });
    writeFileSync(path.join(directory, 'missing'), 'now');
    const file = await files.open('missing');
    expect(text(file)).toBe('now');
    file.release();
  });

  it('opens neither links nor folders', async () => {
    symlinkSync('/etc/hostname', path.join(directory, 'link'));
    await expect(files.open('link')).rejects.toMatchObject({ name: 'CarcosaError' });
    await expect(files.open('.')).rejects.toMatchObject({ code: 'not_found' });
    await untilDescriptors(0);
  });

  it('lets readers of a deleted object finish, and then closes it', async () => {
    const file = await files.open('a');
    rmSync(path.join(directory, 'a'));
    files.forget('a');
    expect(text(file)).toBe('content of a');
    await expect(files.open('a')).rejects.toMatchObject({ code: 'not_found' });
    expect(descriptors()).toBe(1);
    file.release();
    await untilDescriptors(0);
  });

  it('does not keep what was forgotten while it was being opened', async () => {
    const opening = files.open('a');
    files.forget('a');
    const file = await opening;
    expect(text(file)).toBe('content of a');
    expect(files.size).toBe(0);
    file.release();
    await untilDescriptors(0);
  });

  it('keeps no more than its capacity, beside what is being read', async () => {
    files = make({ capacity: 1 });
    const a = await files.open('a');
    const b = await files.open('b');
    b.release();
    (await files.open('c')).release();
    expect(files.size).toBe(1);
    expect(text(a)).toBe('content of a');
    await untilDescriptors(2);
    a.release();
    await untilDescriptors(1);
  });

  it('closes what nobody reads for a while', async () => {
    files = make({ idleMs: 5 });
    const read = await files.open('a');
    (await files.open('b')).release();
    await untilDescriptors(1);
    expect(text(read)).toBe('content of a');
    read.release();
    await untilDescriptors(0);
  });

  it('holds nothing after close, not even what was just being opened', async () => {
    const opening = files.open('a');
    const read = await files.open('b');
    files.close();
    (await opening).release();
    read.release();
    await untilDescriptors(0);
  });
});
