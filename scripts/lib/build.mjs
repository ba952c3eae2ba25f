import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { withLock } from './lock.mjs';
import { CACHE, ROOT } from './paths.mjs';
import { succeeds } from './processes.mjs';
import { KnownFailure, say } from './say.mjs';

const STAMP = join(CACHE, 'build.stamp');
const TSC = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');

/** Builds what is stale; costs a look at each source file when nothing is. */
export async function ensureBuilt() {
  if (isFresh()) return;
  await withLock(join(CACHE, 'build.lock'), 'building', async () => {
    if (isFresh()) return;
    say('Building…');
    if (!(await build())) {
      throw new KnownFailure('The build failed: mend the errors that the compiler names above, then run this again.');
    }
  });
}

/** Runs the compiler, which itself does only what is needed. Answers whether it found no errors. */
export async function build() {
  // Taken before: what changes while the compiler runs is stale afterwards.
  const stamp = fingerprint();
  const args = [TSC, '-b', ...(process.stderr.isTTY ? ['--pretty'] : [])];
  if (!(await succeeds(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 2, 2] }))) return false;
  mkdirSync(dirname(STAMP), { recursive: true });
  writeFileSync(STAMP, stamp);
  return true;
}

function isFresh() {
  try {
    return (
      readFileSync(STAMP, 'utf8') === fingerprint() &&
      projects().every((each) => existsSync(join(each, 'dist', '.tsbuildinfo')))
    );
  } catch {
    return false;
  }
}

/** The folders that the root's tsconfig.json refers to. */
function projects() {
  const { references } = JSON.parse(readFileSync(join(ROOT, 'tsconfig.json'), 'utf8'));
  return references.map((each) => join(ROOT, each.path));
}

/** Path, size and time of all that the compiler's answer depends on. */
function fingerprint() {
  const hash = createHash('sha256');
  const add = (file) => {
    // An editor may have replaced it since its folder was read.
    const { size, mtimeMs } = statSync(file, { throwIfNoEntry: false }) ?? {};
    hash.update(`${file}\0${size}\0${mtimeMs}\n`);
  };
  for (const name of ['tsconfig.json', 'tsconfig.base.json', 'package-lock.json']) add(join(ROOT, name));
  for (const project of projects()) {
    for (const name of ['tsconfig.json', 'package.json']) add(join(project, name));
    for (const file of filesBelow(join(project, 'src'))) add(file);
  }
  return hash.digest('hex');
}

function filesBelow(folder) {
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return filesBelow(path);
    return entry.name.endsWith('.test.ts') ? [] : [path];
  });
}
