import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Who is logged in where. */
export interface Settings {
  url: string;
  apiKey?: string;
  /** Of a person: serves once, for the next pair. */
  refreshToken?: string;
  projectId?: string;
}

export async function readSettings(file: string): Promise<Settings | undefined> {
  return JSON.parse(await readFile(file, 'utf8').catch(() => 'null')) ?? undefined;
}

export async function writeSettings(file: string, settings: Settings): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  // Nobody else may read it at any time, also not where it was there before with other rights.
  await rm(file, { force: true });
  await writeFile(file, `${JSON.stringify(settings, null, 2)}\n`, { mode: 0o600 });
}
