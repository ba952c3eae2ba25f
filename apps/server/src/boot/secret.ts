import { randomBytes } from 'node:crypto';
import { link, open, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { CarcosaError } from '@carcosa/kernel';
import { MIN_SECRET_BYTES } from '../config.ts';

/**
 * The root secret that all others are derived from: as configured, else from `<data dir>/secret`, which the first start makes
 * with mode 0600. Whoever comes second in a race reads what the first one wrote.
 */
export async function rootSecret(configured: string | undefined, dataDir: string): Promise<string> {
  if (configured !== undefined) return configured;
  const file = join(dataDir, 'secret');
  return (await readSecret(file)) ?? (await createSecret(file));
}

async function readSecret(file: string): Promise<string | null> {
  try {
    const secret = (await readFile(file, 'utf8')).trim();
    if (Buffer.byteLength(secret) >= MIN_SECRET_BYTES) return secret;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  throw new CarcosaError('configuration_invalid', {
    message: `${file} is damaged: restore it, or remove it, which ends all signed addresses`,
  });
}

async function createSecret(file: string): Promise<string> {
  const secret = randomBytes(32).toString('hex');
  const temporary = `${file}.${randomBytes(6).toString('hex')}.new`;
  const handle = await open(temporary, 'w', 0o600);
  try {
    await handle.writeFile(`${secret}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  try {
    // A link fails where the file exists already, so that no two processes ever go on with different secrets.
    await link(temporary, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await unlink(temporary);
  }
  return (await readSecret(file)) ?? secret;
}
