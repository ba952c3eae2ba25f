import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './paths.mjs';

/**
 * Flags of Node for the server, as its package names them. Its own heap is small and short-lived: left to itself, V8 sizes the
 * generations by the machine's memory, and takes twice as much for the same work.
 *
 * @returns {string[]}
 */
export function serverFlags() {
  const { config } = JSON.parse(readFileSync(join(ROOT, 'apps', 'server', 'package.json'), 'utf8'));
  return config.nodeFlags.split(' ');
}
