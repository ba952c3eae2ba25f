import { builtinModules } from 'node:module';
import { posix } from 'node:path';
import {
  CLOCKS,
  COMPOSE,
  LIBRARY_ENVIRONMENTS,
  MAY_IMPORT,
  READS_ENVIRONMENT,
  RUNS_ANYWHERE,
  STARTS,
  STORAGE_FOR_ALL,
} from './lanes.mjs';

const SCOPE = '@carcosa/';
/** What all tests share, those beside the sources too. */
const TEST_SUPPORT = 'tests/support/';
const BUILT_IN = new Set(builtinModules);

/**
 * Every breach of the boundaries, as lines `path[:line] what is wrong`.
 *
 * @param {{ packages: import('./workspace.mjs').Package[], rootDependencies: Record<string, string> }} workspace
 * @returns {string[]}
 */
export function breaches({ packages, rootDependencies }) {
  const named = new Map(packages.map((each) => [each.name, each]));
  const ofPackages = packages.flatMap((each) => [
    ...manifestBreaches(each),
    ...referenceBreaches(each, packages),
    ...each.sources.flatMap((source) => sourceBreaches(source, each, rootDependencies)),
  ]);
  return [...ofPackages, ...cycles(named), ...blackBoxBreaches(named.get('tests'))];
}

const ours = (dependencies) => Object.keys(dependencies).filter((name) => name.startsWith(SCOPE));

/** What a test needs is no part of the program: it may see adapters, the clock and packages of the root. */
const isTestCode = ({ path }) => /\.test\.[cm]?[jt]sx?$/.test(path) || /(^|\/)(testing|testsuite)(\/|\.ts$)/.test(path);

function manifestBreaches(pack) {
  const file = `${pack.folder}/package.json`;
  const allowed = MAY_IMPORT[pack.name];
  if (!allowed) return [`${file} ${SCOPE}${pack.name} has no place in scripts/lib/boundaries/lanes.mjs`];
  const names = ours(pack.allDependencies).map((name) => name.slice(SCOPE.length));
  return names
    .filter((name) => !allowed.includes(name) && !STARTS[pack.name]?.includes(name))
    .map((name) => `${file} ${pack.name} may not depend on ${name}`);
}

/** The compiler's references are the dependencies, no more and no fewer. */
function referenceBreaches(pack, packages) {
  if (!pack.references || !pack.folder.includes('/')) return [];
  const file = `${pack.folder}/tsconfig.json`;
  const isStarted = ({ name }) => STARTS[pack.name]?.includes(name);
  const wanted = packages
    .filter((each) => pack.allDependencies[SCOPE + each.name] && !isStarted(each))
    .map((each) => each.folder);
  const missing = wanted.filter((folder) => !pack.references.includes(folder));
  const foreign = pack.references.filter((folder) => !wanted.includes(folder));
  return [
    ...missing.map((folder) => `${file} does not refer to ${folder}, on which package.json depends`),
    ...foreign.map((folder) => `${file} refers to ${folder}, on which package.json does not depend`),
  ];
}

function sourceBreaches(source, pack, rootDependencies) {
  const at = (line) => `${pack.folder}/${source.path}:${line}`;
  const ofImports = source.imports.flatMap(({ specifier, line }) => {
    const wrong = importBreach(specifier, source, pack, rootDependencies);
    return wrong ? [`${at(line)} ${wrong}`] : [];
  });
  const ofUses = source.uses.flatMap(({ what, line }) => {
    const wrong = useBreach(what, source, pack);
    return wrong ? [`${at(line)} ${wrong}`] : [];
  });
  return [...ofImports, ...ofUses];
}

function importBreach(specifier, source, pack, rootDependencies) {
  if (specifier.startsWith('.')) {
    const target = posix.join(pack.folder, posix.dirname(source.path), specifier);
    const stays = target.startsWith(`${pack.folder}/`) || (isTestCode(source) && target.startsWith(TEST_SUPPORT));
    return stays ? null : `'${specifier}' leaves the package: import ${SCOPE}<package> instead`;
  }
  if (specifier.startsWith('/') || specifier.startsWith('file:')) return `'${specifier}' is a place on one machine`;
  if (specifier.startsWith('#')) return null;
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
  if (specifier.startsWith('node:') || BUILT_IN.has(name)) return builtInBreach(specifier, source, pack);
  if (name === SCOPE + pack.name)
    return isTestCode(source) ? null : `${pack.name} imports itself: use a relative import`;
  if (name.startsWith(SCOPE)) return laneBreach(specifier, name, source, pack) ?? undeclared(name, source, pack, {});
  return undeclared(name, source, pack, rootDependencies);
}

function builtInBreach(specifier, source, pack) {
  const isFree = isTestCode(source) || /^src\/node(\/|\.ts$)/.test(source.path) || !source.path.startsWith('src/');
  return RUNS_ANYWHERE.includes(pack.name) && !isFree
    ? `${pack.name} runs without Node, so it may not import '${specifier}'`
    : null;
}

function laneBreach(specifier, name, source, pack) {
  if (!MAY_IMPORT[pack.name]?.includes(name.slice(SCOPE.length))) return `${pack.name} may not import '${specifier}'`;
  if (name !== `${SCOPE}storage` || STORAGE_FOR_ALL.includes(specifier)) return null;
  const seesAll = isTestCode(source) || ['tests', 'bench'].includes(pack.name);
  const composes = pack.name === 'server' && source.path === COMPOSE;
  return seesAll || composes
    ? null
    : `only apps/server/${COMPOSE} may import '${specifier}': use ${STORAGE_FOR_ALL.join(' or ')}`;
}

function undeclared(name, source, pack, rootDependencies) {
  const isForDevelopment = isTestCode(source) || !source.path.startsWith('src/');
  const known = isForDevelopment ? { ...rootDependencies, ...pack.allDependencies } : pack.dependencies;
  const types = `@types/${name.replace('@', '').replace('/', '__')}`;
  return known[name] || known[types] ? null : `'${name}' is not among the dependencies of ${pack.folder}/package.json`;
}

function useBreach(what, source, pack) {
  if (isTestCode(source) || ['tests', 'bench'].includes(pack.name)) return null;
  if (what === 'process.env') {
    const isApplication = pack.folder.startsWith('apps/');
    const mayRead =
      (isApplication && READS_ENVIRONMENT.includes(source.path)) || LIBRARY_ENVIRONMENTS[pack.name] === source.path;
    return mayRead ? null : `only ${READS_ENVIRONMENT.join(' and ')} of an application read ${what}: take a setting`;
  }
  return pack.name === 'kernel' || CLOCKS[pack.name] === source.path
    ? null
    : `${what}: take the Clock or Random of the kernel, so that tests can set it`;
}

/** The table of lanes has no cycle; this looks at what the packages really declare, should somebody bend the table. */
function cycles(named) {
  const found = [];
  const done = new Set();
  const walk = (name, path) => {
    if (path.includes(name))
      found.push(`packages import each other: ${[...path.slice(path.indexOf(name)), name].join(' > ')}`);
    if (path.includes(name) || done.has(name)) return;
    const next = ours(named.get(name)?.allDependencies ?? {}).map((each) => each.slice(SCOPE.length));
    for (const each of next) walk(each, [...path, name]);
    done.add(name);
  };
  for (const name of named.keys()) walk(name, []);
  return found;
}

/** The acceptance tests know the program by HTTP only: neither they nor what they import may import any of it. */
function blackBoxBreaches(tests) {
  if (!tests) return [];
  const byPath = new Map(tests.sources.map((each) => [each.path, each]));
  const reached = new Set();
  const reach = (path) => {
    const source = byPath.get(path);
    if (!source || reached.has(path)) return;
    reached.add(path);
    const relative = source.imports.filter(({ specifier }) => specifier.startsWith('.'));
    for (const { specifier } of relative) reach(posix.join(posix.dirname(path), specifier));
  };
  for (const path of byPath.keys()) if (path.startsWith('acceptance/')) reach(path);
  return [...reached].flatMap((path) =>
    byPath
      .get(path)
      .imports.filter(({ specifier }) => specifier.startsWith(SCOPE))
      .map(
        ({ specifier, line }) =>
          `${tests.folder}/${path}:${line} acceptance tests import nothing of ours, so not '${specifier}'`,
      ),
  );
}
