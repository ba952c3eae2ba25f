import { chmod, mkdir, mkdtemp, readdir, readFile, readlink, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bundledInstallation, installationIn, linkLibraries } from './installation.ts';

const NOBODY = 65534;

describe('the links between libraries', () => {
  let directory: string;
  let native: string;
  let libraries: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'carcosa-native-'));
    await chmod(directory, 0o777);
    native = join(directory, 'native');
    libraries = join(native, 'lib');
    await mkdir(libraries, { recursive: true });
    await writeFile(join(libraries, 'liba.so.1.2'), 'library');
    const links = ['liba.so', 'liba.so.1'].map((name) => ({
      source: 'native/lib/liba.so.1.2',
      target: `native/lib/${name}`,
    }));
    await writeFile(join(native, 'pg-symlinks.json'), JSON.stringify(links));
  });
  afterEach(() => rm(directory, { recursive: true }));

  it('are made where they belong, once', async () => {
    for (let time = 0; time < 2; time++) {
      expect(await linkLibraries(native, join(directory, 'links'))).toEqual({});
      expect((await readdir(libraries)).sort()).toEqual(['liba.so', 'liba.so.1', 'liba.so.1.2']);
      expect(await readlink(join(libraries, 'liba.so.1'))).toBe('liba.so.1.2');
    }
  });

  it('are made by several processes at once', async () => {
    await Promise.all(Array.from({ length: 8 }, () => linkLibraries(native, join(directory, 'links'))));
    expect(await readFile(join(libraries, 'liba.so'), 'utf8')).toBe('library');
  });

  it.runIf(process.platform === 'linux')(
    'are made elsewhere when the package cannot be written, also after it has moved',
    async () => {
      await chmod(libraries, 0o555);
      for (const place of ['native', 'moved']) {
        const links = await asNobody(() => linkLibraries(join(directory, place), join(directory, 'links')));
        expect(links).toEqual({ LD_LIBRARY_PATH: `${directory}/links:${directory}/${place}/lib` });
        expect(await readFile(join(directory, 'links/liba.so.1'), 'utf8')).toBe('library');
        if (place === 'native') await rename(native, join(directory, 'moved'));
      }
    },
  );
});

/** Root may write everywhere: to be refused, it has to be somebody else. */
async function asNobody<Result>(work: () => Promise<Result>): Promise<Result> {
  if (process.geteuid?.() !== 0) return work();
  process.seteuid?.(NOBODY);
  try {
    return await work();
  } finally {
    process.seteuid?.(0);
  }
}

describe('an installation', () => {
  it('comes with npm for this platform', async () => {
    expect(await bundledInstallation('/nowhere')).toMatchObject({
      postgres: expect.stringMatching(/native\/bin\/postgres$/),
      major: 18,
      environment: {},
    });
  });

  it('is not where there is none', async () => {
    expect(await installationIn('/nowhere', 15)).toBeUndefined();
  });
});
