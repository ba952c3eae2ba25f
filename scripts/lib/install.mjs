import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withLock } from './lock.mjs';
import { runNpm } from './npm.mjs';
import { CACHE, ROOT } from './paths.mjs';
import { othersRunning } from './running.mjs';
import { KnownFailure, say } from './say.mjs';

const LOCK_FILE = join(ROOT, 'package-lock.json');
/** npm's own record of what it has put into node_modules, written when it is done. */
const INSTALLED = join(ROOT, 'node_modules', '.package-lock.json');
const STAMP = join(ROOT, 'node_modules', '.carcosa-stamp');

/** Installs from the lock file unless node_modules already holds what the lock file says, for this Node and platform. */
export async function ensureInstalled() {
  if (isFresh()) return;
  await withLock(join(CACHE, 'install.lock'), 'installing', async () => {
    if (!isFresh()) await install();
  });
}

function isFresh() {
  const wanted = stampOfNow();
  const stamp = readText(STAMP);
  if (stamp === wanted) return true;
  // An installation by hand leaves no stamp, or an old one. It is as good as ours if npm put there what the lock file says.
  if (stamp !== null && runtimeIn(stamp) !== runtimeIn(wanted)) return false;
  if (!holdsWhatIsLocked()) return false;
  tryToWrite(STAMP, wanted);
  return true;
}

function stampOfNow() {
  const lock = createHash('sha256').update(readFileSync(LOCK_FILE)).digest('hex');
  const runtime = `${process.platform} ${process.arch} node ${process.versions.node.split('.')[0]}`;
  return `${lock}\n${runtime}\n`;
}

const runtimeIn = (stamp) => stamp.split('\n')[1];

function holdsWhatIsLocked() {
  const installed = readText(INSTALLED);
  if (installed === null) return false;
  const locked = Object.entries(JSON.parse(readFileSync(LOCK_FILE, 'utf8')).packages);
  return lockedAreInstalled(locked, JSON.parse(installed).packages);
}

/**
 * Whether each locked package is installed in the same version, with the same content. Optional ones may be absent: most are for
 * other platforms.
 *
 * @param {[string, { version?: string, integrity?: string, link?: boolean, optional?: boolean, devOptional?: boolean }][]} locked
 * @param {Record<string, { version?: string, integrity?: string, link?: boolean }>} installed
 */
export function lockedAreInstalled(locked, installed) {
  return locked.every(([path, wanted]) => {
    if (!path.includes('node_modules/')) return true;
    const found = installed[path];
    if (!found) return wanted.optional === true || wanted.devOptional === true;
    return found.version === wanted.version && found.integrity === wanted.integrity && found.link === wanted.link;
  });
}

async function install() {
  const why = reasonToInstall();
  const others = othersRunning();
  if (others.length > 0) {
    // npm ci removes node_modules first, the running database's program with it.
    const what = others.length === 1 ? `process ${others[0]} runs` : `processes ${others.join(', ')} run`;
    throw new KnownFailure(
      `Packages have to be installed again (${why}), but ${what} from this checkout: stop that first.`,
    );
  }
  say(`Installing packages from the lock file (${why}), about half a minute…`);
  // Also where NODE_ENV is production: the compiler is a development dependency.
  const reason = await runNpm(['ci', '--include=dev'], ROOT);
  if (reason !== null) throw new KnownFailure(`The packages could not be installed; npm says: ${reason}`);
  tryToWrite(STAMP, stampOfNow());
}

function reasonToInstall() {
  if (!existsSync(join(ROOT, 'node_modules'))) return 'node_modules is missing';
  return existsSync(INSTALLED) ? 'package-lock.json or Node has changed' : 'node_modules is incomplete';
}

function readText(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

/** Without its stamp the next start only takes a little longer. */
function tryToWrite(file, text) {
  try {
    writeFileSync(file, text);
  } catch {}
}
