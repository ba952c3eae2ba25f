import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of this checkout. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** What the scripts keep in this checkout: stamps, locks, test results. Ignored by git and safe to remove. */
export const CACHE = join(ROOT, '.cache');

/** What all checkouts of this user share. */
export const USER_CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'carcosa');
