import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { glob, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { CommandFailure, EXIT } from '../exit-codes.ts';

/** A file on disk, and its place below what was named: "photos/cat.jpg" of "photos". */
export interface LocalFile {
  readonly path: string;
  readonly place: string;
  /** Bytes. */
  readonly size: number;
}

/** The files that paths, folders and patterns name. @throws CommandFailure for one that names nothing */
export async function localFiles(names: readonly string[]): Promise<LocalFile[]> {
  const files: LocalFile[] = [];
  for (const name of names) {
    const found = await below(name);
    if (found.length === 0) throw new CommandFailure(`There is no file ${name}.`, EXIT.usage);
    files.push(...found);
  }
  return files;
}

async function below(name: string): Promise<LocalFile[]> {
  const info = await stat(name).catch(() => undefined);
  if (info?.isFile()) return [{ path: name, place: path.basename(name), size: info.size }];
  if (info?.isDirectory()) {
    const top = path.basename(path.resolve(name));
    return (await filesIn(name)).map((file) => ({ ...file, place: `${top}/${file.place}` }));
  }
  // The shell has not expanded it.
  const matches = await Array.fromAsync(glob(name));
  return (await Promise.all(matches.sort().map(below))).flat();
}

/** All files in a folder and below it; places are relative to it. Links to folders are not followed: they may go round. */
export async function filesIn(folder: string): Promise<LocalFile[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return Promise.all(
    files.map(async ({ parentPath, name }) => {
      const full = path.join(parentPath, name);
      const place = path.relative(folder, full).split(path.sep).join('/');
      return { path: full, place, size: (await stat(full)).size };
    }),
  );
}

/** SHA-256 in hex. */
export async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
