import { CarcosaError, type File as StoredFile } from '@carcosa/sdk';
import type { Client } from './context.ts';

/** The file with that id or at that path. @throws CarcosaError `not_found` */
export async function findFile(client: Client, name: string): Promise<StoredFile> {
  if (/^file_[0-9a-z]{26}$/.test(name)) return client.files.get(name);
  const file = await client.files.find(name.replace(/^\/+/, ''));
  if (file) return file;
  throw new CarcosaError('not_found', `There is no file at ${name}.`, { status: 404 });
}

/** A folder as the server writes it: without slashes at its ends. */
export const folderName = (name: string): string => name.replace(/^\/+|\/+$/g, '');

/** Where something goes: into a folder where the target ends in "/", else to the target itself. */
export const placeIn = (target: string, name: string): string =>
  target === '' || target.endsWith('/')
    ? `${folderName(target)}${folderName(target) && '/'}${name}`
    : target.replace(/^\/+/, '');
