import type { Command } from 'commander';
import { table } from '../lib/output.ts';
import { readSettings, writeSettings } from '../lib/settings.ts';
import type { WithContext } from '../program.ts';

/** `projects list`, `projects create`, `projects use`. */
export function manageProjects(program: Command, run: WithContext): void {
  const projects = program.command('projects').description('projects that you may see');
  projects
    .command('list')
    .description('all of them')
    .action(
      run(async (context) => {
        const all = await (await context.client()).projects.list().toArray();
        context.output.result(all, (found) =>
          table(
            ['ID', 'NAME', 'TEAM', 'NEW FILES ARE'],
            found.map(({ id, name, teamId, settings }) => [id, name, teamId, settings.defaultVisibility]),
          ),
        );
      }),
    );
  projects
    .command('create')
    .description('make one; needs a log-in')
    .argument('<name>')
    .requiredOption('--team <id>', 'whose it is')
    .option('--bucket <id>', 'where its files go; default: the first that the team may write to')
    .action(
      run(async (context, [name]: [string], { team, bucket }: { team: string; bucket?: string }) => {
        const body = { name, teamId: team, ...(bucket ? { bucketId: bucket } : {}) };
        context.output.result(await (await context.client()).projects.create(body), ({ id }) => id);
      }),
    );
  projects
    .command('use')
    .description('what later commands are about')
    .argument('<id>')
    .action(
      run(async (context, [id]: [string]) => {
        const project = await (await context.client()).projects.get(id);
        const { settingsFile } = context.environment;
        const { url, apiKey, refreshToken } = await context.connection();
        const known = (await readSettings(settingsFile)) ?? {
          url,
          ...(apiKey ? { apiKey } : { refreshToken: refreshToken ?? '' }),
        };
        await writeSettings(settingsFile, { ...known, projectId: id });
        context.output.result(project, ({ name }) => `Commands are about ${name} now.`);
      }),
    );
}
