import type { Command } from 'commander';
import { table } from '../lib/output.ts';
import type { WithContext } from '../program.ts';
import { wholeNumber } from './upload-files.ts';

interface Options {
  follow?: boolean;
  audit?: boolean;
  type?: string;
  limit: string;
}

/** What happened in the project: its events, or the audit log. */
export function showLogs(program: Command, run: WithContext): void {
  program
    .command('logs')
    .description('what happened in the project')
    .option('-f, --follow', 'and what happens from now on')
    .option('--audit', 'the audit log instead: who did it, from where, and what was refused')
    .option('--type <event>', 'only events of this type, such as file.created')
    .option('-n, --limit <count>', 'the latest', '20')
    .action(
      run(async (context, _args: [], { follow = false, audit = false, type, limit }: Options) => {
        const client = await context.client();
        const most = wholeNumber('--limit', limit);
        const projectId = await context.projectId();
        if (audit) {
          const entries = await client.auditLogs.list({ projectId, limit: Math.min(most, 100) }).toArray(most);
          context.output.result(entries, (all) =>
            table(
              ['WHEN', 'WHO', 'WHAT', 'FROM'],
              all.map((each) => [each.at, each.actor.id ?? each.actor.type, each.action, each.ipAddress ?? '']),
            ),
          );
          return;
        }
        const filter = { projectId, ...(type ? { type } : {}) };
        const events = await client.events.list({ ...filter, limit: Math.min(most, 100) }).toArray(most);
        const line = (event: (typeof events)[number]): string =>
          `${event.timestamp}  ${event.type}  ${event.resourceId ?? ''}`;
        if (!follow) {
          context.output.result(events, (all) => all.toReversed().map(line).join('\n'));
          return;
        }
        for (const event of events.toReversed()) context.output.result(event, line);
        const since = events[0]?.id;
        for await (const { event } of client.events.stream({ projectId, ...(since ? { since } : {}) }))
          if (type === undefined || event.type === type) context.output.result(event, line);
      }),
    );
}
