import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../exit-codes.ts';
import { localFiles } from '../lib/local-files.ts';
import { bytes } from '../lib/output.ts';
import { folderName } from '../lib/targets.ts';
import { assertAllWorked, type Transfer, uploadAll } from '../lib/transfers.ts';
import type { WithContext } from '../program.ts';

interface Options {
  to?: string;
  name?: string;
  private?: boolean;
  public?: boolean;
  metadata?: string;
  tag?: string[];
  parallel: string;
}

/** `carcosa upload photos/*.jpg --to inbox/`; folders keep their shape, "-" is standard input. */
export function uploadFiles(program: Command, run: WithContext): void {
  program
    .command('upload')
    .description('upload files, folders, patterns, or standard input ("-")')
    .argument('<paths...>', 'what to upload')
    .option('-t, --to <path>', 'a folder where it ends in "/" or several files come, else the path of the file')
    .option('--name <name>', 'of what comes from standard input')
    .option('--private', 'opened by signed addresses alone')
    .option('--public', 'open to everybody')
    .option('--metadata <json>', 'a JSON object to keep with each file')
    .option('-p, --parallel <count>', 'files under way at once', '16')
    .addHelpText('after', '\nWhat was cut off is continued by the same command.')
    .action(
      run(async (context, [paths]: [string[]], options: Options) => {
        const client = await context.client({ parallelFiles: wholeNumber('--parallel', options.parallel) });
        const common = commonOptions(options);
        const transfers = paths.includes('-')
          ? [standardInput(paths, options, common)]
          : (await localFiles(paths)).map(({ path, place, size }, _index, all): Transfer => {
              const target = placeOf(options.to, place, all.length);
              return { name: path, input: { path }, size, options: { ...common, path: target } };
            });
        const results = await uploadAll(context, client, transfers);
        context.output.result(results, (all) =>
          all.flatMap(({ file }) => (file ? [`${file.path}  ${bytes(file.size)}  ${file.url}`] : [])).join('\n'),
        );
        assertAllWorked(context, results);
      }),
    );
}

function placeOf(to: string | undefined, place: string, count: number): string {
  if (to === undefined) return place;
  if (count === 1 && !to.endsWith('/')) return to;
  const folder = folderName(to);
  return folder === '' ? place : `${folder}/${place}`;
}

function standardInput(paths: readonly string[], { to, name }: Options, common: Transfer['options']): Transfer {
  if (paths.length > 1) throw new CommandFailure('Standard input goes alone.', EXIT.usage);
  const path = to?.endsWith('/') ? `${to}${name ?? 'stdin'}` : (to ?? name);
  if (path === undefined) throw new CommandFailure('Say where standard input goes: --to <path>.', EXIT.usage);
  return { name: 'standard input', input: process.stdin, size: 0, options: { ...common, path } };
}

function commonOptions({ metadata, private: isPrivate, public: isPublic }: Options): Transfer['options'] {
  if (isPrivate && isPublic) throw new CommandFailure('Say either --private or --public.', EXIT.usage);
  const visibility = isPrivate ? 'private' : isPublic ? 'public' : undefined;
  return {
    ...(visibility ? { visibility } : {}),
    ...(metadata === undefined ? {} : { metadata: jsonObject('--metadata', metadata) }),
  };
}

export function jsonObject(name: string, text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw new CommandFailure(`${name} takes a JSON object, such as {"album":"summer"}.`, EXIT.usage);
}

export function wholeNumber(name: string, text: string): number {
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text);
  throw new CommandFailure(`${name} takes a whole number from 1.`, EXIT.usage);
}
