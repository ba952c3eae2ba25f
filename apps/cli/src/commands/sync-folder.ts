import { rm, stat } from 'node:fs/promises';
import type { File as StoredFile } from '@carcosa/sdk';
import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../exit-codes.ts';
import type { Client } from '../lib/context.ts';
import { filesIn, type LocalFile, sha256Of } from '../lib/local-files.ts';
import { folderName } from '../lib/targets.ts';
import { assertAllWorked, uploadAll } from '../lib/transfers.ts';
import type { WithContext } from '../program.ts';
import { downloadTo, inside } from './download-files.ts';

interface Options {
  down?: boolean;
  delete?: boolean;
  dryRun?: boolean;
}

interface Plan {
  /** Paths relative to both folders. */
  copy: string[];
  remove: string[];
  unchanged: number;
}

/** Makes a folder of the project like one on disk, or with `--down` the other way round. */
export function syncFolder(program: Command, run: WithContext): void {
  program
    .command('sync')
    .description('make a folder of the project like a folder on disk')
    .argument('<directory>', 'on disk')
    .argument('<folder>', 'of the project; "/" is all of it')
    .option('--down', 'the other way round')
    .option('--delete', 'also remove what is not on the other side (of the project: into the trash)')
    .option('--dry-run', 'only tell what would be done')
    .action(
      run(async (context, [directory, name]: [string, string], options: Options) => {
        const client = await context.client({ parallelFiles: 16 });
        const folder = folderName(name);
        const { down = false, delete: removes = false, dryRun = false } = options;
        const local = new Map((await localSide(directory, down)).map((file) => [file.place, file]));
        const remote = await remoteSide(client, folder);
        const plan = await planSync(local, remote, down, removes);
        context.output.result(plan, ({ copy, remove, unchanged }) => {
          const lines = [
            ...copy.map((each) => `${down ? 'get' : 'put'} ${each}`),
            ...remove.map((each) => `remove ${each}`),
          ];
          return [...lines, `${copy.length} to copy, ${remove.length} to remove, ${unchanged} alike.`].join('\n');
        });
        if (dryRun) return;
        if (down) {
          for (const place of plan.copy)
            await downloadTo(client, remote.get(place) as StoredFile, inside(directory, place));
          for (const place of plan.remove) await rm(inside(directory, place));
          return;
        }
        const transfers = plan.copy.map((place) => {
          const { path, size } = local.get(place) as LocalFile;
          return { name: path, input: { path }, size, options: { path: folder === '' ? place : `${folder}/${place}` } };
        });
        const results = await uploadAll(context, client, transfers);
        for (let at = 0; at < plan.remove.length; at += 1000) {
          const items = plan.remove.slice(at, at + 1000).map((place) => ({ id: remote.get(place)?.id ?? '' }));
          await client.files.bulk({ action: 'delete', items });
        }
        assertAllWorked(context, results);
      }),
    );
}

async function localSide(directory: string, down: boolean): Promise<LocalFile[]> {
  const info = await stat(directory).catch(() => undefined);
  if (info?.isDirectory()) return filesIn(directory);
  if (down && !info) return [];
  throw new CommandFailure(`${directory} is no folder.`, EXIT.usage);
}

async function remoteSide(client: Client, folder: string): Promise<Map<string, StoredFile>> {
  const files = await client.files.list({ folder, recursive: true, limit: 1000 }).toArray();
  return new Map(files.map((file) => [folder === '' ? file.path : file.path.slice(folder.length + 1), file]));
}

/** Files are alike by size and SHA-256, whatever their times say. */
async function planSync(
  local: ReadonlyMap<string, LocalFile>,
  remote: ReadonlyMap<string, StoredFile>,
  down: boolean,
  removes: boolean,
): Promise<Plan> {
  const [from, to] = down ? [remote, local] : [local, remote];
  const copy: string[] = [];
  for (const place of from.keys()) {
    const [here, there] = [local.get(place), remote.get(place)];
    const isAlike = here && there && here.size === there.size && there.sha256 === (await sha256Of(here.path));
    if (!isAlike) copy.push(place);
  }
  const remove = removes ? [...to.keys()].filter((place) => !from.has(place)) : [];
  return { copy: copy.sort(), remove: remove.sort(), unchanged: from.size - copy.length };
}
