import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './paths.mjs';

/**
 * Flags of Node for the server, as its package names them. Its own heap is small and short-lived: left to itself, V8 sizes the
 * generations by the machine's memory, and takes twice as much for the same work.
 * (`--optimize-for-size` would save 30 MB more, and costs a request for 64 KiB a quarter more processor time.)
 *
 * @returns {string[]}
 */
export function serverFlags() {
  return config().nodeFlags.split(' ');
}

/**
 * What the server's environment has besides: one arena for the memory of all threads. Each thread's own keeps what it once took.
 *
 * @returns {Record<string, string>}
 */
export function serverEnvironment() {
  return config().environment;
}

function config() {
  return JSON.parse(readFileSync(join(ROOT, 'apps', 'server', 'package.json'), 'utf8')).config;
}
