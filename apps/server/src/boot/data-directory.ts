import { access, constants, mkdir } from 'node:fs/promises';
import { CarcosaError } from '@carcosa/kernel';

/**
 * Makes the data directory, which nobody else may list.
 * @throws CarcosaError `configuration_invalid` in one line that says what is wrong and how to mend it
 */
export async function prepareDataDirectory(path: string): Promise<void> {
  try {
    // The embedded database of a root user runs under another one, which has to pass through.
    await mkdir(path, { recursive: true, mode: process.getuid?.() === 0 ? 0o711 : 0o700 });
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    const reason = REASONS[(error as NodeJS.ErrnoException).code ?? ''] ?? (error as Error).message;
    throw new CarcosaError('configuration_invalid', {
      message: `The data directory ${path} cannot be used: ${reason}. Set CARCOSA_DATA_DIR to a directory that you may write to.`,
      cause: error,
    });
  }
}

const REASONS: Record<string, string> = {
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'it is on a read-only file system',
  ENOSPC: 'its file system is full',
  ENOTDIR: 'a part of its path is a file',
  EEXIST: 'it is a file',
};
