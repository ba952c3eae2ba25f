import { execFile, spawn } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../support/clock.ts';
import { stopOrphanedDatabases } from '../support/embedded-database.ts';
import { keepOutput } from '../support/run-logs.ts';
import type { LocalJson } from '../support/server.ts';
import { makeHome } from '../support/server.ts';

const run = promisify(execFile);
const ROOT = path.resolve(import.meta.dirname, '../..');

let home: string;
let dataDir: string;
beforeAll(async () => {
  home = await makeHome();
  dataDir = path.join(home, 'data');
});
afterAll(async () => {
  await stopOrphanedDatabases(dataDir);
  await rm(home, { recursive: true, force: true });
});

function npmStart() {
  const env = { ...process.env, PORT: '0', CARCOSA_DATA_DIR: dataDir };
  const child = spawn('npm', ['start', '--silent'], { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
  keepOutput(child, {});
  const started = { child, output: '', ended: Promise.resolve<number | null>(null) };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      started.output += text;
    });
  }
  started.ended = new Promise((resolve) => child.once('close', resolve));
  return started;
}

it('npm start: the printed line uploads, the file comes back, SIGTERM to npm ends it all with 0', async () => {
  const started = npmStart();
  try {
    await until(() => /Upload something:\n +\S.*\n/.test(started.output) || started.child.exitCode !== null, {
      what: 'the ready message',
      within: 60_000,
    });
    const line = /Upload something:\n +(.+)\n/.exec(started.output)?.[1];
    expect(line, started.output).toBeDefined();

    const answer = JSON.parse((await run('sh', ['-c', `${line} -s`])).stdout) as { data: { key: string } };
    const { url } = JSON.parse(await readFile(path.join(dataDir, 'local.json'), 'utf8')) as LocalJson;
    const file = await fetch(`${url}/f/${answer.data.key}`);
    expect(await file.text()).toBe('Hello, Carcosa\n');

    started.child.kill('SIGTERM');
    expect(await started.ended).toBe(0);
    await expect(fetch(`${url}/ready`), 'nothing listens any more').rejects.toThrow();
  } finally {
    started.child.kill('SIGKILL');
    await started.ended;
  }
});
