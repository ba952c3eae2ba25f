import { parseSync } from 'vite';

/**
 * @typedef {object} Source
 * @property {{ specifier: string, line: number }[]} imports of values and types, static and dynamic, re-exports included
 * @property {{ what: 'process.env' | 'new Date()' | 'Date.now()' | 'Math.random()', line: number }[]} uses
 */

/**
 * Reads what the boundary rules look at from one file of TypeScript or JavaScript.
 *
 * @returns {Source}
 * @throws {SyntaxError} when the file is neither
 */
export function parseSource(fileName, text) {
  const { program, errors } = parseSync(fileName, text);
  const error = errors.find((each) => each.severity === 'Error');
  if (error) throw new SyntaxError(`${fileName}: ${error.message}`);
  const source = { imports: [], uses: [] };
  const lineOf = (node) => text.slice(0, node.start).split('\n').length;
  visit(program, (node) => {
    const specifier = importedBy(node);
    if (specifier !== undefined) source.imports.push({ specifier, line: lineOf(node) });
    const what = useIn(node);
    if (what) source.uses.push({ what, line: lineOf(node) });
  });
  return source;
}

function visit(value, look) {
  if (Array.isArray(value)) {
    for (const each of value) visit(each, look);
  } else if (value && typeof value === 'object') {
    if (typeof value.type === 'string') look(value);
    for (const each of Object.values(value)) visit(each, look);
  }
}

const IMPORTING = [
  'ImportDeclaration',
  'ExportNamedDeclaration',
  'ExportAllDeclaration',
  'ImportExpression',
  'TSImportType',
];

function importedBy(node) {
  if (IMPORTING.includes(node.type)) return textOf(node.source);
  if (node.type === 'TSExternalModuleReference') return textOf(node.expression);
  if (node.type !== 'CallExpression') return undefined;
  const { callee } = node;
  const asks =
    callee.name === 'require' ||
    isMember(callee, 'resolve', (object) => object.name === 'require' || object.type === 'MetaProperty');
  return asks ? textOf(node.arguments[0]) : undefined;
}

/** The text of a string literal, quoted or in backticks; undefined when it is computed. */
function textOf(node) {
  if (node?.type === 'TemplateLiteral' && node.expressions.length === 0) return node.quasis[0].value.cooked;
  return typeof node?.value === 'string' ? node.value : undefined;
}

function useIn(node) {
  if (readsEnvironment(node)) return 'process.env';
  if (node.type === 'NewExpression' && isGlobal(node.callee, 'Date') && node.arguments.length === 0)
    return 'new Date()';
  // The bare function too: handed on, it is the same clock.
  if (isMember(node, 'now', (object) => isGlobal(object, 'Date'))) return 'Date.now()';
  if (isMember(node, 'random', (object) => isGlobal(object, 'Math'))) return 'Math.random()';
  return undefined;
}

function readsEnvironment(node) {
  if (isMember(node, 'env', (object) => isGlobal(object, 'process'))) return true;
  if (node.type === 'ImportDeclaration' && /^(node:)?process$/.test(node.source.value)) {
    return node.specifiers.some((each) => each.imported?.name === 'env');
  }
  if (node.type !== 'VariableDeclarator' || node.id.type !== 'ObjectPattern' || !isGlobal(node.init, 'process'))
    return false;
  return node.id.properties.some((each) => each.key?.name === 'env');
}

function isMember(node, property, objectIs) {
  if (node?.type !== 'MemberExpression') return false;
  const name = node.computed ? textOf(node.property) : node.property.name;
  return name === property && objectIs(node.object);
}

function isGlobal(node, name) {
  if (node?.type === 'Identifier') return node.name === name;
  return isMember(node, name, (object) => object.name === 'globalThis');
}
