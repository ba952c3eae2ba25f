import type { Folder, File as StoredFile } from '@carcosa/sdk';
import type { Command } from 'commander';
import { bytes, table } from '../lib/output.ts';
import { folderName } from '../lib/targets.ts';
import type { WithContext } from '../program.ts';
import { wholeNumber } from './upload-files.ts';

interface Options {
  recursive?: boolean;
  trash?: boolean;
  type?: string;
  sort?: string;
  limit: string;
}

export function listFiles(program: Command, run: WithContext): void {
  program
    .command('ls')
    .description('list folders and files')
    .argument('[folder]', 'default: the top', '')
    .option('-r, --recursive', 'files below it too')
    .option('--trash', 'what is in the trash')
    .option('--type <mime>', 'such as image/png or image/*')
    .option('--sort <field>', 'name, size, path, createdAt or updatedAt; with "-" before it, backwards', 'path')
    .option('--limit <count>', 'at most so many files', '1000')
    .action(
      run(async (context, [name]: [string], options: Options) => {
        const client = await context.client();
        const { recursive = false, type, sort, trash = false } = options;
        const limit = wholeNumber('--limit', options.limit);
        const folder = folderName(name);
        const query = {
          ...{ sort: sort as 'path', limit: Math.min(limit, 1000) },
          ...(trash ? { status: 'trashed' as const } : { folder, recursive }),
          ...(type ? { type } : {}),
        };
        const folders = recursive || trash ? [] : await client.files.folders({ folder }).toArray(1000);
        const files = await client.files.list(query).toArray(limit);
        context.output.result({ folders, files }, (found) =>
          listing(found.folders, found.files, folder, recursive || trash),
        );
      }),
    );
}

function listing(folders: readonly Folder[], files: readonly StoredFile[], folder: string, whole: boolean): string {
  if (folders.length + files.length === 0) return `There is nothing in ${folder || 'the project'}.`;
  const rows = [
    ...folders.map((each) => [
      `${each.name}/`,
      bytes(each.bytes),
      `${each.files} ${each.files === 1 ? 'file' : 'files'}`,
      '',
    ]),
    ...files.map((each) => [whole ? each.path : each.name, bytes(each.size), each.contentType, each.updatedAt]),
  ];
  return table(['NAME', 'SIZE', 'TYPE', 'CHANGED'], rows);
}
