import { describe, expect, it } from 'vitest';
import { ROOT } from '../paths.mjs';
import { parseSource } from './parse-source.mjs';
import { breaches } from './rules.mjs';
import { readWorkspace } from './workspace.mjs';

/** A package with all the dependencies and references that its sources may need, unless `given` says otherwise. */
function pack(name, files, given = {}) {
  const folder =
    given.folder ?? (['tests', 'bench'].includes(name) ? name : name === 'server' ? 'apps/server' : `packages/${name}`);
  const dependencies = given.dependencies ?? {};
  return {
    name,
    folder,
    dependencies,
    allDependencies: { ...dependencies, ...given.devDependencies },
    references: given.references ?? null,
    sources: Object.entries(files).map(([path, text]) => ({ path, ...parseSource(path, text) })),
  };
}

const breachesOf = (...packages) => breaches({ packages, rootDependencies: { vitest: '1' } });
const on = (...names) => Object.fromEntries(names.map((name) => [name, '1']));

describe('the lanes', () => {
  it('let a package import what is below it', () => {
    const domain = pack(
      'domain',
      { 'src/a.ts': `import { x } from '@carcosa/kernel'; import type { P } from '@carcosa/storage/port';` },
      { dependencies: on('@carcosa/kernel', '@carcosa/storage') },
    );
    expect(breachesOf(domain)).toEqual([]);
  });

  it.each([
    ['a sibling', 'queue', '@carcosa/database'],
    ['what is above', 'contracts', '@carcosa/domain'],
    ['the other lane', 'sdk', '@carcosa/kernel'],
    ['a package that nobody knows', 'domain', '@carcosa/unheard-of'],
  ])('refuse %s, in the manifest and in each kind of import', (_, name, target) => {
    const texts = {
      'src/value.ts': `import { x } from '${target}';`,
      'src/type.ts': `import type { X } from '${target}';`,
      'src/inline.ts': `export type X = import('${target}').X;`,
      'src/again.ts': `export * from '${target}';`,
      'src/dynamic.ts': `export const x = await import('${target}');`,
      'src/beside.test.ts': `import { x } from '${target}';`,
    };
    const found = breachesOf(pack(name, texts, { dependencies: on(target) }));
    expect(found).toHaveLength(1 + Object.keys(texts).length);
    expect(found[0]).toBe(
      `packages/${name}/package.json ${name} may not depend on ${target.slice('@carcosa/'.length)}`,
    );
    for (const path of Object.keys(texts)) expect(found.join('\n')).toContain(`packages/${name}/${path}:1 `);
  });

  it('know every package', () => {
    expect(breachesOf(pack('newcomer', {}))).toEqual([
      'packages/newcomer/package.json @carcosa/newcomer has no place in scripts/lib/boundaries/lanes.mjs',
    ]);
  });

  it('have no cycle', () => {
    const found = breachesOf(
      pack('kernel', {}, { dependencies: on('@carcosa/contracts') }),
      pack('contracts', {}, { dependencies: on('@carcosa/kernel') }),
    );
    expect(found).toContain('packages import each other: kernel > contracts > kernel');
  });

  it('are the references of the compiler too', () => {
    const kernel = pack('kernel', {});
    const media = pack('media', {});
    const given = { dependencies: on('@carcosa/kernel'), references: ['packages/media'] };
    expect(breachesOf(kernel, media, pack('queue', {}, given))).toEqual([
      'packages/queue/tsconfig.json does not refer to packages/kernel, on which package.json depends',
      'packages/queue/tsconfig.json refers to packages/media, on which package.json does not depend',
    ]);
  });
});

describe('a package', () => {
  it('is not left by a relative import', () => {
    const found = breachesOf(
      pack('domain', { 'src/files/a.ts': `import '../../../kernel/src/ids.ts'; import '../index.ts';` }),
    );
    expect(found).toEqual([
      "packages/domain/src/files/a.ts:1 '../../../kernel/src/ids.ts' leaves the package: import @carcosa/<package> instead",
    ]);
  });

  it('imports only what it declares; a test what the root declares too', () => {
    const text = `import 'left-pad';\nimport { it } from 'vitest';`;
    const found = breachesOf(
      pack('queue', { 'src/a.ts': text, 'src/a.test.ts': text }, { devDependencies: on('left-pad') }),
    );
    expect(found.map((line) => line.split(' ')[0])).toEqual(['packages/queue/src/a.ts:1', 'packages/queue/src/a.ts:2']);
  });

  it('that runs anywhere is free of built-in modules, except below src/node', () => {
    const text = `import { readFile } from 'node:fs/promises';\nimport path from 'path';`;
    const files = { 'src/a.ts': text, 'src/node/b.ts': text, 'src/a.test.ts': text };
    expect(breachesOf(pack('sdk', files))).toEqual([
      "packages/sdk/src/a.ts:1 sdk runs without Node, so it may not import 'node:fs/promises'",
      "packages/sdk/src/a.ts:2 sdk runs without Node, so it may not import 'path'",
    ]);
    expect(breachesOf(pack('storage', files))).toEqual([]);
  });
});

describe('adapters', () => {
  const text = `import { S3ObjectStore } from '@carcosa/storage/adapters/s3';`;
  const dependencies = on('@carcosa/storage');

  it('are seen by compose.ts of the server and by tests', () => {
    expect(breachesOf(pack('server', { 'src/compose.ts': text }, { dependencies }))).toEqual([]);
    expect(breachesOf(pack('domain', { 'src/a.test.ts': text }, { dependencies }))).toEqual([]);
  });

  it('are seen by nobody else', () => {
    expect(breachesOf(pack('domain', { 'src/a.ts': text }, { dependencies }))).toHaveLength(1);
    expect(breachesOf(pack('server', { 'src/http/compose.ts': text }, { dependencies }))).toHaveLength(1);
  });
});

describe('the world outside', () => {
  const environment = [
    'export const a = process.env.PORT;',
    `export const a = process['env'];`,
    'export const a = globalThis.process.env;',
    'export const { env } = process;',
    `import { env } from 'node:process'; export const a = env;`,
  ];

  it.each(environment)('is read by the configuration alone: %s', (text) => {
    const files = { 'src/config.ts': text, 'src/main.ts': text, 'src/http/app.ts': text, 'src/a.test.ts': text };
    const found = breachesOf(pack('server', files));
    expect(found.map((line) => line.split(' ')[0])).toEqual(['apps/server/src/http/app.ts:1']);
    expect(breachesOf(pack('storage', { 'src/config.ts': text }))).toHaveLength(1);
  });

  it.each(['new Date()', 'Date.now()', 'const now = Date.now', 'Math.random()', 'globalThis.Date.now()'])(
    'gives time and chance to the kernel alone: %s',
    (text) => {
      const files = { 'src/a.ts': text, 'src/a.test.ts': text };
      expect(breachesOf(pack('domain', files))).toHaveLength(1);
      expect(breachesOf(pack('kernel', files), pack('tests', files), pack('bench', files))).toEqual([]);
    },
  );

  it('is not what comments, strings and dates that are given say', () => {
    const text = `// Date.now() \n export const a = 'process.env'; /* import 'x' */ export const b = new Date(0); export const c = \`Math.random()\`;`;
    expect(breachesOf(pack('domain', { 'src/a.ts': text }))).toEqual([]);
  });
});

describe('acceptance tests', () => {
  it('import nothing of ours, not even by what they import', () => {
    const found = breachesOf(
      pack(
        'tests',
        {
          'acceptance/a.test.ts': `import { b } from '../support/b.ts';`,
          'support/b.ts': `export * from './c.ts';`,
          'support/c.ts': `import '@carcosa/kernel';`,
          'support/other.ts': `import '@carcosa/kernel';`,
        },
        { devDependencies: on('@carcosa/kernel') },
      ),
    );
    expect(found).toEqual(["tests/support/c.ts:1 acceptance tests import nothing of ours, so not '@carcosa/kernel'"]);
  });
});

it('reads the packages of this checkout', () => {
  const { packages } = readWorkspace(ROOT);
  const kernel = packages.find((each) => each.name === 'kernel');
  expect(kernel.folder).toBe('packages/kernel');
  expect(kernel.sources.map((each) => each.path)).toContain('src/index.ts');
  expect(packages.find((each) => each.name === 'contracts').references).toEqual(['packages/kernel']);
});
