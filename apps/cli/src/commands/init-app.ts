import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../exit-codes.ts';
import type { Context } from '../lib/context.ts';
import { FRAMEWORKS, type Framework, frameworkOf } from '../lib/frameworks.ts';
import type { WithContext } from '../program.ts';

interface Options {
  dryRun?: boolean;
  framework?: string;
}

interface Step {
  file: string;
  does: 'write' | 'add' | 'keep';
}

/** Writes a route for uploads, a page that uses it, and the environment that it needs. What is there already stays as it is. */
export function initApp(program: Command, run: WithContext): void {
  program
    .command('init')
    .description('add uploads to the app in this folder: a route, a page, the environment')
    .option(
      '--framework <name>',
      `instead of what package.json tells: ${FRAMEWORKS.map((each) => each.package).join(', ')}`,
    )
    .option('--dry-run', 'only tell what would be written')
    .action(
      run(async (context, _args: [], { dryRun = false, framework: wanted }: Options) => {
        const framework = await chosen(wanted);
        const steps = await planOf(framework);
        const env = await missingVariables(framework.envFile, context);
        const all: Step[] = [...steps, { file: framework.envFile, does: env === '' ? 'keep' : 'add' }];
        if (!dryRun) {
          for (const { file, does } of steps) if (does === 'write') await write(file, framework.files[file] ?? '');
          if (env !== '') await writeFile(framework.envFile, env, { flag: 'a', mode: 0o600 });
        }
        const install = `npm install ${['@carcosa/file-router', ...framework.packages].join(' ')}`;
        const { name, afterwards } = framework;
        context.output.result({ framework: name, steps: all, install, afterwards, dryRun }, () =>
          [
            `${name}:`,
            ...all.map(({ file, does }) => `  ${does.padEnd(5)} ${file}`),
            '',
            'Then:',
            `  ${install}`,
            afterwards,
          ].join('\n'),
        );
      }),
    );
}

async function chosen(wanted: string | undefined): Promise<Framework> {
  const names = FRAMEWORKS.map((each) => each.package).join(', ');
  if (wanted !== undefined) {
    const found = FRAMEWORKS.find((each) => each.package === wanted);
    if (found) return found;
    throw new CommandFailure(`There is nothing for "${wanted}": say one of ${names}.`, EXIT.usage);
  }
  const text = await readFile('package.json', 'utf8').catch(() => undefined);
  if (text === undefined)
    throw new CommandFailure('There is no package.json here: run this in the folder of an app.', EXIT.usage);
  const found = frameworkOf(JSON.parse(text));
  if (found) return found;
  throw new CommandFailure(
    `No framework that is known is among the dependencies: say --framework, one of ${names}.`,
    EXIT.usage,
  );
}

const exists = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false,
  );

async function planOf({ files }: Framework): Promise<Step[]> {
  return Promise.all(
    Object.keys(files).map(async (file) => ({
      file,
      does: (await exists(file)) ? ('keep' as const) : ('write' as const),
    })),
  );
}

async function write(file: string, content: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  // Somebody may have written it meanwhile.
  await writeFile(file, content, { flag: 'wx' });
}

/** The lines that the file of the environment lacks; with the key of the server that is known here. */
async function missingVariables(file: string, context: Context): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const { url, apiKey } = await context.connection();
  const wanted = { CARCOSA_URL: url, CARCOSA_API_KEY: apiKey ?? '' };
  const lines = Object.entries(wanted)
    .filter(([name]) => !new RegExp(`^\\s*(export\\s+)?${name}\\s*=`, 'm').test(text))
    .map(([name, value]) => `${name}=${value}\n`);
  return lines.length > 0 && text !== '' && !text.endsWith('\n') ? `\n${lines.join('')}` : lines.join('');
}
