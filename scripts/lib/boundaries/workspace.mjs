import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { parseSource } from './parse-source.mjs';

/**
 * @typedef {object} Package
 * @property {string} name what stands behind `@carcosa/`
 * @property {string} folder relative to the root, with slashes
 * @property {Record<string, string>} dependencies those that its users get
 * @property {Record<string, string>} allDependencies and those for development
 * @property {string[] | null} references folders, relative to the root, that its tsconfig.json refers to; null without one
 * @property {import('./parse-source.mjs').Source & { path: string }[]} sources paths relative to the package
 */

const SCOPE = '@carcosa/';
const NOT_OURS = new Set(['node_modules', 'dist', 'results']);

/** Reads all packages of the workspace at `root`. */
export function readWorkspace(root) {
  const manifest = readJson(join(root, 'package.json'));
  const folders = manifest.workspaces.flatMap((pattern) => expand(root, pattern));
  return { packages: folders.map((folder) => readPackage(root, folder)), rootDependencies: allOf(manifest) };
}

function expand(root, pattern) {
  if (!pattern.endsWith('/*')) return existsSync(join(root, pattern, 'package.json')) ? [pattern] : [];
  const parent = pattern.slice(0, -2);
  if (!existsSync(join(root, parent))) return [];
  const names = readdirSync(join(root, parent)).sort();
  return names.map((name) => `${parent}/${name}`).filter((folder) => existsSync(join(root, folder, 'package.json')));
}

function readPackage(root, folder) {
  const manifest = readJson(join(root, folder, 'package.json'));
  const { devDependencies: _, ...published } = manifest;
  return {
    name: manifest.name.replace(SCOPE, ''),
    folder,
    dependencies: allOf(published),
    allDependencies: allOf(manifest),
    references: readReferences(root, folder),
    sources: sourcesBelow(join(root, folder)).map((file) => {
      const path = relative(join(root, folder), file).split(sep).join('/');
      return { path, ...parseSource(file, readFileSync(file, 'utf8')) };
    }),
  };
}

function allOf({ dependencies, devDependencies, peerDependencies, optionalDependencies }) {
  return { ...dependencies, ...devDependencies, ...peerDependencies, ...optionalDependencies };
}

function readReferences(root, folder) {
  const file = join(root, folder, 'tsconfig.json');
  if (!existsSync(file)) return null;
  const references = readJson(file).references ?? [];
  return references.map((each) =>
    relative(root, join(root, folder, each.path))
      .split(sep)
      .join('/'),
  );
}

function sourcesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return NOT_OURS.has(entry.name) || entry.name.startsWith('.') ? [] : sourcesBelow(path);
    return /\.[cm]?[jt]sx?$/.test(entry.name) && !entry.name.endsWith('.d.ts') ? [path] : [];
  });
}

const readJson = (file) => JSON.parse(readFileSync(file, 'utf8'));
