import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CarcosaError } from '@carcosa/kernel';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { prepareDataDirectory } from './data-directory.ts';
import { explainFailure } from './known-causes.ts';
import { readLocalJson, writeLocalJson } from './local-json.ts';
import { rootSecret } from './secret.ts';

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'carcosa-boot-'));
});
afterEach(() => rm(home, { recursive: true, force: true }));

const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);

describe('the root secret', () => {
  it('is what was configured, and then nothing is written', async () => {
    expect(await rootSecret('x'.repeat(32), home)).toBe('x'.repeat(32));
    expect(await readdir(home)).toEqual([]);
  });

  it('is made once, for its owner alone', async () => {
    const secret = await rootSecret(undefined, home);
    expect(secret).toMatch(/^[0-9a-f]{64}$/);
    expect(await rootSecret(undefined, home)).toBe(secret);
    expect(await modeOf(join(home, 'secret'))).toBe('600');
    expect(await readdir(home)).toEqual(['secret']);
  });

  it('is one, however many ask at once', async () => {
    const secrets = await Promise.all(Array.from({ length: 8 }, () => rootSecret(undefined, home)));
    expect(new Set(secrets).size).toBe(1);
  });

  it('is not replaced when it is damaged: that would end every signed address', async () => {
    await writeFile(join(home, 'secret'), 'short');
    await expect(rootSecret(undefined, home)).rejects.toThrow(/secret is damaged/);
  });
});

describe('local.json', () => {
  const facts = { url: 'http://127.0.0.1:4000', projectId: 'prj_x', apiKey: 'sk_a_b' };

  it('comes back as it was written, readable by its owner alone', async () => {
    const written = await writeLocalJson(home, facts);
    expect(await readLocalJson(home)).toEqual(written);
    expect(await modeOf(join(home, 'local.json'))).toBe('600');
    expect(await readdir(home)).toEqual(['local.json']);
  });

  it('holds a token for apps that were written for UploadThing', async () => {
    const { uploadthingToken } = await writeLocalJson(home, facts);
    expect(JSON.parse(Buffer.from(uploadthingToken, 'base64').toString())).toEqual({
      apiKey: 'sk_a_b',
      appId: 'prj_x',
      regions: ['local'],
      ingestHost: '127.0.0.1:4000',
    });
  });

  it('counts as absent when it is damaged', async () => {
    expect(await readLocalJson(home)).toBeNull();
    for (const damaged of ['{"url":', '{}', '']) {
      await writeFile(join(home, 'local.json'), damaged);
      expect(await readLocalJson(home)).toBeNull();
    }
  });
});

describe('the data directory', () => {
  it('is made, with all above it, and not for others to list', async () => {
    const path = join(home, 'a', 'b');
    await prepareDataDirectory(path);
    expect(Number.parseInt(await modeOf(path), 8) & 0o066).toBe(0);
    await prepareDataDirectory(path);
  });

  it('says in one line why it cannot be used', async () => {
    await writeFile(join(home, 'file'), '');
    await expect(prepareDataDirectory(join(home, 'file'))).rejects.toThrow(/file cannot be used: it is a file\. Set/);
    const below = prepareDataDirectory(join(home, 'file', 'data'));
    await expect(below).rejects.toThrow(/cannot be used: a part of its path is a file\. Set CARCOSA_DATA_DIR/);
  });
});

describe('why a start failed', () => {
  const address = { host: '127.0.0.1', port: 4000 };
  const system = (code: string, syscall: string) => Object.assign(new Error(code), { code, syscall });

  it.each([
    [system('EADDRINUSE', 'listen'), /^Port 4000 on 127\.0\.0\.1 is taken .* PORT/],
    [system('EACCES', 'listen'), /^Port 4000 needs rights/],
    [system('ENOTFOUND', 'getaddrinfo'), /^127\.0\.0\.1 is not an address of this machine.* HOST/],
    [system('EMFILE', 'listen'), /EMFILE/],
    [new CarcosaError('database_unavailable', { message: 'one\n  two' }), /^one two$/],
  ])('%s is one line', (error, line) => {
    expect(explainFailure(error, address)).toMatch(line);
  });

  it('what is a fault of ours keeps its stack', () => {
    expect(explainFailure(new TypeError('x is not a function'), address)).toBeNull();
    expect(explainFailure(new CarcosaError('internal_error'), address)).toBeNull();
    expect(explainFailure(system('ENOENT', 'open'), address)).toBeNull();
  });
});
