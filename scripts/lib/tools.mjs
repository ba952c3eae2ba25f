import { spawnSync } from 'node:child_process';
import { accessSync, constants, readdirSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { ROOT } from './paths.mjs';
import { say } from './say.mjs';

/**
 * Installs what the suites need beside Node where it is missing, or says what to install: the tests that need it are skipped then,
 * and say so.
 *
 * @param {string[]} suites
 */
export function ensureTools(suites) {
  const wanted = JSON.parse(readFileSync(join(ROOT, 'tests', 'support', 'tools.json'), 'utf8'));
  const missing = () =>
    wanted.filter((each) => each.suites.some((suite) => suites.includes(suite)) && !isInstalled(each));
  let left = missing();
  if (left.length === 0) return;
  if (canInstall()) {
    installAll(left.map((each) => each.package));
    left = missing();
  }
  for (const { tool, package: name, suites: users } of left) {
    say(
      `${tool} is not installed: the tests that need it (${users.join(', ')}) are skipped. Debian: apt-get install ${name}`,
    );
  }
}

const canInstall = () => process.getuid?.() === 0 && pathsOf('apt-get').some(isExecutable);

/** All at once; one by one where that fails, so that a package which this system does not have costs only itself. */
function installAll(packages) {
  say(`Installing ${packages.join(', ')} with apt-get, since tests need them…`);
  apt(['update', '-q']);
  if (apt(['install', ...packages])) return;
  for (const each of packages) apt(['install', each]);
}

/** Quiet unless it fails: then its last lines are shown. */
function apt(args) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const options = { env, stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 };
  // Another apt may be at work: wait for it.
  const result = spawnSync(
    'apt-get',
    ['-y', '-o', 'DPkg::Lock::Timeout=300', '--no-install-recommends', ...args],
    options,
  );
  if (result.status !== 0)
    say(
      `apt-get ${args.join(' ')} failed:\n${(result.stderr || result.stdout || '').trim().split('\n').slice(-5).join('\n')}`,
    );
  return result.status === 0;
}

const isInstalled = (tool) => tool.candidates.flatMap(pathsOf).some(isExecutable);

/** The paths that a candidate may stand for; `*` in a path stands for any text. */
function pathsOf(candidate) {
  if (!candidate.startsWith('/'))
    return (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, candidate));
  if (!candidate.includes('*')) return [candidate];
  const [before, after] = candidate.split('*', 2);
  const folder = before.endsWith('/') ? before : dirname(before);
  try {
    return readdirSync(folder)
      .map((name) => join(folder, name))
      .filter((path) => path.startsWith(before))
      .map((path) => path + after);
  } catch {
    return [];
  }
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
