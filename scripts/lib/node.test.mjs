import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ROOT } from './paths.mjs';

/** Makes the process believe that it is older than it is, unless it is the one that was fetched. */
const PRETEND = `data:text/javascript,${encodeURIComponent(
  `if (!process.env.CARCOSA_NODE_FETCHED) {
    Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.1.0' } });
  }`,
)}`;

let folder;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'carcosa-node-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function writeScript(file, text) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  chmodSync(file, 0o755);
}

/**
 * An npm that "installs" the running Node. The real package has 190 MB; what is tested here is all around it.
 * It waits for `together` to run before it goes on, so that they really run at once.
 */
function standInNpm({ together = 1, fails = false } = {}) {
  const body = fails
    ? `echo 'npm error code ENOTFOUND' >&2; echo 'npm error syscall connect' >&2; echo 'npm error request to somewhere failed' >&2; exit 1`
    : `touch "${folder}/npm.$$"
while [ "$(ls "${folder}" | grep -c '^npm\\.')" -lt ${together} ]; do sleep 0.02; done
while [ $# -gt 1 ]; do if [ "$1" = --prefix ]; then prefix=$2; fi; shift; done
home=$prefix/node_modules/\${1%@*}/bin
mkdir -p "$home"
ln -s "${process.execPath}" "$home/node"`;
  writeScript(join(folder, 'bin', 'npm'), `#!/bin/sh\n${body}\n`);
}

/** Runs `body` in a Node that takes itself for an old one. */
function run(body, args = []) {
  const script = join(folder, 'command.mjs');
  const lib = JSON.stringify(join(ROOT, 'scripts', 'lib', 'node.mjs'));
  const say = JSON.stringify(join(ROOT, 'scripts', 'lib', 'say.mjs'));
  writeFileSync(
    script,
    `import { ensureNode, RUNS_BUILT } from ${lib}; import { main } from ${say};
     await main(async () => { await ensureNode(RUNS_BUILT); ${body} });`,
  );
  const child = spawn(process.execPath, ['--import', PRETEND, script, ...args], {
    env: { PATH: `${join(folder, 'bin')}:/usr/bin:/bin`, XDG_CACHE_HOME: join(folder, 'cache') },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) {
    child[name].setEncoding('utf8').on('data', (text) => {
      output[name] += text;
    });
  }
  const ended = new Promise((resolve) => child.once('close', (code, signal) => resolve({ code, signal, ...output })));
  return { child, ended };
}

describe('a Node that is too old', () => {
  it('fetches another once, says so in one line, and runs the same command with it', async () => {
    standInNpm();
    const body = `console.log(JSON.stringify([process.argv.slice(2), process.env.PATH.split(':')[0]])); return 7;`;
    const first = await run(body, ['a b', '--c']).ended;
    expect(first.stderr).toMatch(/^Node 20\.1\.0 is too old .+ fetching Node 24 .+\n$/);
    const [args, path] = JSON.parse(first.stdout);
    expect(args).toEqual(['a b', '--c']);
    expect(path).toMatch(/node-24\/node_modules\/node-.+\/bin$/);
    expect(first.code).toBe(7);

    const second = await run(body).ended;
    expect(second).toMatchObject({ code: 7, stderr: '' });
    expect(readdirSync(join(folder, 'cache', 'carcosa'))).toEqual(['node-24']);
  });

  it('is not confused by another process that fetches at the same time', async () => {
    standInNpm({ together: 2 });
    const both = await Promise.all([run(`console.log('ran');`).ended, run(`console.log('ran');`).ended]);
    for (const each of both) expect(each).toMatchObject({ code: 0, stdout: 'ran\n' });
    expect(readdirSync(join(folder, 'cache', 'carcosa'))).toEqual(['node-24']);
  });

  it('hands signals on, and ends as the command does', async () => {
    standInNpm();
    const body = `process.on('SIGTERM', () => { console.log('drained'); process.exit(0); }); console.log('up'); setInterval(() => {}, 1000);`;
    const { child, ended } = run(body);
    child.stdout.once('data', () => child.kill('SIGTERM'));
    expect(await ended).toMatchObject({ code: 0, signal: null, stdout: 'up\ndrained\n' });
  });

  it('says in one line why it can not fetch, and what to do', async () => {
    standInNpm({ fails: true });
    const { code, stderr } = await run('').ended;
    expect(code).toBe(1);
    const lines = stderr.trimEnd().split('\n');
    expect(lines).toHaveLength(2);
    expect(lines[1]).toBe(
      'Node 20.1.0 is too old, and fetching one failed: npm says: ENOTFOUND: request to somewhere failed. Install Node 22.12 or later and run this again.',
    );
    expect(readdirSync(join(folder, 'cache', 'carcosa'))).toEqual([]);
  });

  it('says in one line that its cache can not be written', async () => {
    standInNpm();
    writeFileSync(join(folder, 'cache'), 'a file');
    const { code, stderr } = await run('').ended;
    expect(code).toBe(1);
    expect(stderr.trimEnd().split('\n')[1]).toBe(
      `${join(folder, 'cache', 'carcosa')} can not be written (ENOTDIR): make it writable or set XDG_CACHE_HOME.`,
    );
  });

  it('replaces a copy that is broken', async () => {
    standInNpm();
    mkdirSync(join(folder, 'cache', 'carcosa', 'node-24', 'node_modules'), { recursive: true });
    expect(await run(`console.log('ran');`).ended).toMatchObject({ code: 0, stdout: 'ran\n' });
  });
});
