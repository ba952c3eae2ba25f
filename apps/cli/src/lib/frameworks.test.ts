import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FRAMEWORKS, frameworkOf } from './frameworks.ts';

const ROOT = path.resolve(import.meta.dirname, '../../../..');
const CONFIG = {
  extends: path.join(ROOT, 'tsconfig.tests.json'),
  compilerOptions: {
    ...{ module: 'esnext', moduleResolution: 'bundler', incremental: false, tsBuildInfoFile: null, rootDir: ROOT },
    paths: { '$lib/server/uploads': ['./@sveltejs-kit/src/lib/server/uploads.ts'] },
  },
  include: ['./**/*.ts', './**/*.tsx'],
  exclude: [],
};

let folder: string;
beforeAll(async () => {
  await mkdir(path.join(ROOT, '.cache'), { recursive: true });
  // In this checkout, so that packages are found.
  folder = await mkdtemp(path.join(ROOT, '.cache', 'init-'));
});
afterAll(() => rm(folder, { recursive: true }));

it('what init writes has the types of the file router and of the parts', { timeout: 120_000 }, async () => {
  for (const { package: name, files } of FRAMEWORKS) {
    for (const [file, content] of Object.entries(files)) {
      const target = path.join(folder, name.replace('/', '-'), file);
      await mkdir(path.dirname(target), { recursive: true });
      await writeFile(target, content);
    }
  }
  await writeFile(path.join(folder, 'tsconfig.json'), JSON.stringify(CONFIG));
  const tsc = path.join(ROOT, 'node_modules/typescript/bin/tsc');
  const { stdout } = await promisify(execFile)(process.execPath, [tsc, '-p', folder]).catch((error) => error);
  expect(stdout).toBe('');
});

it('knows a framework by its package, those that build on others first', () => {
  expect(frameworkOf({ dependencies: { express: '5', next: '16' } })?.name).toBe('Next.js');
  expect(frameworkOf({ devDependencies: { '@sveltejs/kit': '2' } })?.name).toBe('SvelteKit');
  expect(frameworkOf({ dependencies: { left: '1' } })).toBeUndefined();
});
