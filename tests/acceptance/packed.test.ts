import { execFile, spawn } from 'node:child_process';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../support/clock.ts';
import { stopOrphanedDatabases } from '../support/embedded-database.ts';
import { keepOutput, markSecretsOf } from '../support/run-logs.ts';
import { makeHome } from '../support/server.ts';

const run = promisify(execFile);
const ROOT = path.resolve(import.meta.dirname, '../..');
/** The command, and all of ours that it needs to start a server. */
const PACKED = ['kernel', 'contracts', 'database', 'storage', 'queue', 'media', 'domain', 'sdk'].map(
  (name) => `packages/${name}`,
);
/** An installation from the registry can take its time. */
const PATIENCE_MS = 600_000;

let home: string;
let app: string;
beforeAll(async () => {
  home = await makeHome();
  app = path.join(home, 'empty');
  await mkdir(app);
  await mkdir(path.join(home, 'packed'));
  const workspaces = [...PACKED, 'apps/server', 'apps/cli'].flatMap((folder) => ['-w', folder]);
  await run('npm', ['pack', '--pack-destination', path.join(home, 'packed'), ...workspaces], { cwd: ROOT });
  const packages = (await readdir(path.join(home, 'packed'))).map((name) => path.join(home, 'packed', name));
  await run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', ...packages], { cwd: app });
}, PATIENCE_MS);
afterAll(async () => {
  await stopOrphanedDatabases(path.join(app, '.carcosa'));
  await rm(home, { recursive: true, force: true });
});

it('npx carcosa start serves from an empty directory, without a checkout', { timeout: PATIENCE_MS }, async () => {
  const env = { ...process.env, CARCOSA_URL: undefined, CARCOSA_API_KEY: undefined, CARCOSA_DATA_DIR: undefined };
  const started = spawn(process.execPath, [path.join(app, 'node_modules/.bin/carcosa'), 'start', '--port', '0'], {
    cwd: app,
    env,
  });
  keepOutput(started, {});
  let output = '';
  for (const stream of [started.stdout, started.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  const ended = new Promise((resolve) => started.once('close', resolve));
  try {
    await until(() => /Carcosa is ready at/.test(output) || started.exitCode !== null, {
      what: 'the server',
      within: 60_000,
    });
    expect(output).toMatch(/Carcosa is ready at http:\/\/127\.0\.0\.1:\d+/);
    const local = await readFile(path.join(app, '.carcosa/local.json'), 'utf8');
    markSecretsOf(local);
    const { url } = JSON.parse(local) as { url: string };
    await writeFile(path.join(app, 'hello.txt'), 'hello');
    const { stdout } = await run('npx', ['--no', 'carcosa', 'upload', 'hello.txt', '--json'], { cwd: app, env });
    const [{ file }] = JSON.parse(stdout) as [{ file: { url: string } }];
    expect(file.url.startsWith(url)).toBe(true);
    expect(await (await fetch(file.url)).text()).toBe('hello');
    started.kill('SIGTERM');
    expect(await ended).toBe(0);
  } finally {
    started.kill('SIGKILL');
  }
});
