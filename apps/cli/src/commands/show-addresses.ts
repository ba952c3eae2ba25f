import type { TransformOptions } from '@carcosa/sdk';
import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../exit-codes.ts';
import { findFile } from '../lib/targets.ts';
import type { WithContext } from '../program.ts';
import { wholeNumber } from './upload-files.ts';

/** `url` and `transform`. */
export function showAddresses(program: Command, run: WithContext): void {
  program
    .command('url')
    .description('the address of a file; signed where it is private')
    .argument('<file>', 'a path or id')
    .option('--expires <seconds>', 'a signed address, for so long')
    .option('--download', 'saves instead of shows')
    .action(
      run(async (context, [name]: [string], options: { expires?: string; download?: boolean }) => {
        const client = await context.client();
        const file = await findFile(client, name);
        const { expires, download = false } = options;
        if (file.visibility === 'public' && expires === undefined) {
          const url = download ? `${file.url}?download=1` : file.url;
          context.output.result({ url, expiresAt: null }, (found) => found.url);
          return;
        }
        const expiresIn = expires === undefined ? 3600 : wholeNumber('--expires', expires);
        context.output.result(await client.files.signedUrl(file.id, { expiresIn, download }), ({ url }) => url);
      }),
    );
  program
    .command('transform')
    .description('the address of a picture in another size or format')
    .argument('<file>', 'a path or id')
    .argument('<steps...>', 'such as width=800 format=webp fit=contain (docs/transforms.md)')
    .option('--expires <seconds>', 'of the address of a private file', '3600')
    .action(
      run(async (context, [name, steps]: [string, string[]], { expires }: { expires: string }) => {
        const client = await context.client();
        const file = await findFile(client, name);
        const transform = Object.fromEntries(steps.map(stepOf)) as TransformOptions;
        const projectId = await context.projectId();
        const url =
          file.visibility === 'public'
            ? client.transformUrl({ ...file, projectId }, transform)
            : await client.signedTransformUrl(
                { ...file, projectId } as typeof file,
                transform,
                wholeNumber('--expires', expires),
              );
        context.output.result({ url }, (found) => found.url);
      }),
    );
}

const SHORT: Readonly<Record<string, string>> = {
  w: 'width',
  h: 'height',
  f: 'format',
  q: 'quality',
  g: 'gravity',
  bg: 'background',
};

function stepOf(step: string): [string, string | number | boolean] {
  const [name = '', value = 'true'] = step.split('=');
  if (!/^[a-z]+$/i.test(name)) throw new CommandFailure(`"${step}" is no step such as width=800.`, EXIT.usage);
  const parsed =
    value === 'true' ? true : value === 'false' ? false : /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value;
  return [SHORT[name] ?? name, parsed];
}
