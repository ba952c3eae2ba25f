import { accessSync, constants, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe } from 'vitest';

interface Tool {
  tool: string;
  /** Names to look for in PATH, or whole paths in which `*` stands for any text. */
  candidates: string[];
  /** What Debian calls the package. */
  package: string;
}

const TOOLS = JSON.parse(readFileSync(path.join(import.meta.dirname, 'tools.json'), 'utf8')) as Tool[];

/**
 * The path of a program that tests need and users don't, or null where it is not installed. `npm test` installs those of
 * `tools.json` where it may.
 *
 * @throws {Error} when `tools.json` does not name the tool
 */
export function findTool(name: string): string | null {
  const folders = (process.env.PATH ?? '').split(path.delimiter);
  for (const candidate of knownTool(name).candidates) {
    const paths = candidate.startsWith('/')
      ? globSync(candidate).sort().reverse()
      : folders.map((folder) => path.join(folder, candidate));
    const found = paths.find(isExecutable);
    if (found) return found;
  }
  return null;
}

/** `describe`, skipped where one of the tools is missing; its name then says what to install. */
export function describeWith(tools: string[], name: string, body: () => void): void {
  const packages = tools.filter((each) => findTool(each) === null).map((each) => knownTool(each).package);
  if (packages.length === 0) describe(name, body);
  else describe.skip(`${name} (needs ${packages.join(', ')}: not installed)`, body);
}

function knownTool(name: string): Tool {
  const tool = TOOLS.find((each) => each.tool === name);
  if (!tool) throw new Error(`tests/support/tools.json does not name ${name}`);
  return tool;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
