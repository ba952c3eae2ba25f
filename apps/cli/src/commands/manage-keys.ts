import type { OperationInput } from '@carcosa/sdk';
import type { Command } from 'commander';
import { table } from '../lib/output.ts';
import type { WithContext } from '../program.ts';

type Create = OperationInput<'POST /api-keys'>['body'];

/** `keys list`, `keys create`, `keys revoke`, `keys rotate`. */
export function manageKeys(program: Command, run: WithContext): void {
  const keys = program.command('keys').description('API keys of the project');
  keys
    .command('list')
    .description('all keys that have not ended')
    .action(
      run(async (context) => {
        const projectId = await context.projectId();
        const all = (await (await context.client()).apiKeys.list({ projectId }).toArray()).filter(
          (key) => !key.revokedAt,
        );
        context.output.result(all, (found) =>
          table(
            ['ID', 'NAME', 'BEGINS', 'MAY', 'LAST USED'],
            found.map((key) => [key.id, key.name, key.start, key.permissions.join(' '), key.lastUsedAt ?? 'never']),
          ),
        );
      }),
    );
  keys
    .command('create')
    .description('make a key; it is shown this one time')
    .argument('<name>', 'to know it again')
    .requiredOption('--allow <permissions...>', 'such as files:read files:write')
    .option('--signs', 'it signs addresses, as file routers need: the server keeps its secret')
    .option('--folder <path>', 'only files below this folder')
    .option('--tenant <id>', 'only files of this tenant')
    .option('--expires <when>', 'ISO 8601, such as 2027-01-31T00:00:00Z')
    .action(
      run(
        async (
          context,
          [name]: [string],
          options: { allow: string[]; signs?: boolean; folder?: string; tenant?: string; expires?: string },
        ) => {
          const { allow, folder, tenant, expires, signs } = options;
          const restrictions = { ...(folder ? { pathPrefix: folder } : {}), ...(tenant ? { tenantId: tenant } : {}) };
          const made = await (await context.client()).apiKeys.create({
            ...{
              name,
              restrictions,
              permissions: allow as Create['permissions'],
              projectId: await context.projectId(),
            },
            ...(expires ? { expiresAt: expires } : {}),
            ...(signs ? { signs } : {}),
          });
          context.output.result(made, ({ key }) => key);
        },
      ),
    );
  keys
    .command('rotate')
    .description('make a successor; the old key works on for a while')
    .argument('<id>')
    .option('--overlap <seconds>', 'for so long', '86400')
    .action(
      run(async (context, [id]: [string], { overlap }: { overlap: string }) => {
        const made = await (await context.client()).apiKeys.rotate(id, { overlapSeconds: Number(overlap) });
        context.output.result(made, ({ key }) => key);
      }),
    );
  keys
    .command('revoke')
    .description('end a key at once')
    .argument('<id>')
    .action(
      run(async (context, [id]: [string]) => {
        await (await context.client()).apiKeys.revoke(id);
        context.output.result({ id, revoked: true }, () => `${id} has ended.`);
      }),
    );
}
