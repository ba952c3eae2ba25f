import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CarcosaError, isCarcosaError, type File as StoredFile } from '@carcosa/sdk';
import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../exit-codes.ts';
import type { Client } from '../lib/context.ts';
import { bytes } from '../lib/output.ts';
import { findFile, folderName } from '../lib/targets.ts';
import type { WithContext } from '../program.ts';

/** `carcosa download photos/ --to ./backup`; "-" writes one file to standard output. */
export function downloadFiles(program: Command, run: WithContext): void {
  program
    .command('download')
    .description('download a file, by path or id, or all files of a folder')
    .argument('<name>', 'a path or id; a folder where it ends in "/"')
    .option('-t, --to <path>', 'a folder where it ends in "/" or is one; "-" is standard output')
    .action(
      run(async (context, [name]: [string], { to = './' }: { to?: string }) => {
        const client = await context.client();
        if (to === '-') {
          const { body } = await client.files.download((await findFile(client, name)).id);
          if (body) await pipeline(Readable.fromWeb(body as never), process.stdout, { end: false });
          return;
        }
        const found = await toDownload(client, name, to);
        if (found.length === 0) throw new CarcosaError('not_found', `There is nothing in ${name}.`, { status: 404 });
        const done: { path: string; size: number }[] = [];
        for (const { file, target } of found) {
          await downloadTo(client, file, target);
          done.push({ path: target, size: file.size });
        }
        context.output.result(done, (all) => all.map((each) => `${each.path}  ${bytes(each.size)}`).join('\n'));
      }),
    );
}

interface Download {
  file: StoredFile;
  target: string;
}

async function toDownload(client: Client, name: string, to: string): Promise<Download[]> {
  if (name === '/' || name.endsWith('/')) {
    const folder = folderName(name);
    const files = await client.files.list({ folder, recursive: true, limit: 1000 }).toArray();
    return files.map((file) => ({
      file,
      target: inside(to, folder === '' ? file.path : file.path.slice(folder.length + 1)),
    }));
  }
  const file = await findFile(client, name);
  const isFolder = to.endsWith('/') || (await stat(to).catch(() => undefined))?.isDirectory();
  return [{ file, target: isFolder ? inside(to, file.name) : to }];
}

/** A path of a file never leads out of the folder. @throws CommandFailure */
export function inside(folder: string, place: string): string {
  const target = path.join(folder, ...place.split('/'));
  const relative = path.relative(folder, target);
  if (relative.startsWith('..') || path.isAbsolute(relative) || (path.sep === '\\' && /[\\:]/.test(place)))
    throw new CommandFailure(`${place} cannot be a file on this system.`, EXIT.rejected);
  return target;
}

/** Whole or not at all: what is half there has another name, from which the next attempt goes on. */
export async function downloadTo(client: Client, file: StoredFile, target: string): Promise<void> {
  await mkdir(path.dirname(target), { recursive: true });
  const partial = `${target}.${file.id}-${file.version}.part`;
  const there = (await stat(partial).catch(() => undefined))?.size ?? 0;
  if (there < file.size || file.size === 0) {
    const headers: Record<string, string> = there > 0 ? { range: `bytes=${there}-` } : {};
    const answer = await client.files.download(file.id, { version: file.version, headers }).catch((error: unknown) => {
      if (isCarcosaError(error, 'range_not_satisfiable')) return null;
      throw error;
    });
    const flags = answer?.status === 206 ? 'a' : 'w';
    const body = answer?.body ? Readable.fromWeb(answer.body as never) : Readable.from([]);
    await pipeline(body, createWriteStream(partial, { flags }));
  }
  const { size } = await stat(partial);
  if (size !== file.size) {
    await rm(partial);
    throw new CarcosaError('network_error', `${file.path} came with ${size} bytes instead of ${file.size}; try again.`);
  }
  await rename(partial, target);
}
