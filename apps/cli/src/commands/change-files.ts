import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../exit-codes.ts';
import type { Client, Context } from '../lib/context.ts';
import { findFile, folderName, placeIn } from '../lib/targets.ts';
import type { WithContext } from '../program.ts';

const BULK = 1000;

/** `mv` and `rm`. */
export function changeFiles(program: Command, run: WithContext): void {
  program
    .command('mv')
    .description('move or rename a file')
    .argument('<from>', 'a path or id')
    .argument('<to>', 'a path; a folder where it ends in "/"')
    .action(
      run(async (context, [from, to]: [string, string]) => {
        const client = await context.client();
        const file = await findFile(client, from);
        const moved = await client.files.move(file.id, placeIn(to, file.name));
        context.output.result(moved, ({ path }) => `${file.path} is ${path} now.`);
      }),
    );
  program
    .command('rm')
    .description('move files to the trash, or remove them for good')
    .argument('<names...>', 'paths or ids; a folder where it ends in "/", with --recursive')
    .option('-r, --recursive', 'all files of folders')
    .option('--permanent', 'for good: nothing can bring them back')
    .action(
      run(async (context, [names]: [string[]], options: { recursive?: boolean; permanent?: boolean }) => {
        const client = await context.client();
        const { recursive = false, permanent = false } = options;
        const ids = (await Promise.all(names.map((name) => idsOf(client, name, recursive)))).flat();
        await removeAll(context, client, ids, permanent);
      }),
    );
}

async function idsOf(client: Client, name: string, recursive: boolean): Promise<string[]> {
  if (!name.endsWith('/')) return [(await findFile(client, name)).id];
  if (!recursive) throw new CommandFailure(`${name} is a folder: say --recursive to remove all in it.`, EXIT.usage);
  const files = await client.files.list({ folder: folderName(name), recursive: true, limit: BULK }).toArray();
  return files.map(({ id }) => id);
}

async function removeAll(context: Context, client: Client, ids: readonly string[], permanent: boolean): Promise<void> {
  const results: { id: string; ok: boolean; error?: { message: string } | undefined }[] = [];
  for (let at = 0; at < ids.length; at += BULK) {
    const items = ids.slice(at, at + BULK).map((id) => ({ id }));
    results.push(...(await client.files.bulk({ action: permanent ? 'purge' : 'delete', items })).results);
  }
  const removed = results.filter(({ ok }) => ok).map(({ id }) => id);
  const where = permanent ? 'removed for good' : 'in the trash';
  context.output.result({ removed, permanent }, () => `${removed.length} files are ${where}.`);
  const failed = results.filter(({ ok }) => !ok);
  for (const { id, error } of failed) context.output.say(`${id}: ${error?.message}`);
  if (failed.length > 0) throw new CommandFailure(`${failed.length} files could not be removed.`, EXIT.partial);
}
