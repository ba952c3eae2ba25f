import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { processIdentity } from '@carcosa/kernel/node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { claimDirectory } from './claim.ts';

describe('a claim on a directory', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'carcosa-claim-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  it('is had by one at a time', async () => {
    const claim = await claimDirectory(directory);
    await expect(claimDirectory(directory)).rejects.toMatchObject({ code: 'database_unavailable', retryable: false });
    await claim.release();
    await (await claimDirectory(directory)).release();
    expect(await readdir(directory)).toEqual([]);
  });

  it('ends with its process, also where the number of that process is used again', async () => {
    const child = spawn('true');
    await once(child, 'exit');
    const present = process.ppid;
    await writeFile(join(directory, `claim-${child.pid}-1.abc`), '');
    await writeFile(join(directory, `claim-${present}-1.abc`), '');
    const claim = await claimDirectory(directory);
    expect(await readdir(directory)).toHaveLength(1);
    await claim.release();
  });

  it('is respected while its process runs', async () => {
    const holder = spawn('sleep', ['600']);
    await once(holder, 'spawn');
    const name = `claim-${holder.pid}-${await processIdentity(holder.pid as number)}`;
    await writeFile(join(directory, name), '');
    await expect(claimDirectory(directory)).rejects.toThrow(`process ${holder.pid}`);
    expect(await readdir(directory)).toEqual([name]);
    holder.kill();
    await once(holder, 'exit');
    await (await claimDirectory(directory)).release();
  });
});

describe('the identity of a process', () => {
  it('stays, and is none when the process is gone', async () => {
    const child = spawn('sleep', ['600']);
    await once(child, 'spawn');
    const pid = child.pid as number;
    const identity = await processIdentity(pid);
    expect(identity).toMatch(/^[A-Za-z0-9.]+$/);
    expect(await processIdentity(pid)).toBe(identity);
    child.kill();
    await once(child, 'exit');
    expect(await processIdentity(pid)).toBeUndefined();
  });

  it('is none for a zombie', async () => {
    // The shell becomes a program that never asks for the end of its child.
    const parent = spawn('sh', ['-c', 'sleep 0 & echo $!; exec sleep 600'], { stdio: ['ignore', 'pipe', 'ignore'] });
    const [output] = await once(parent.stdout, 'data');
    await expect.poll(() => processIdentity(Number(output))).toBeUndefined();
    parent.kill();
  });
});
