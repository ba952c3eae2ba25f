import { Command } from 'commander';
import { changeFiles } from './commands/change-files.ts';
import { checkHealth } from './commands/check-health.ts';
import { downloadFiles } from './commands/download-files.ts';
import { initApp } from './commands/init-app.ts';
import { listFiles } from './commands/list-files.ts';
import { listenForEvents } from './commands/listen-for-events.ts';
import { logIn } from './commands/log-in.ts';
import { manageBuckets } from './commands/manage-buckets.ts';
import { manageKeys } from './commands/manage-keys.ts';
import { manageProjects } from './commands/manage-projects.ts';
import { migrateUploads } from './commands/migrate-uploads.ts';
import { printCompletion } from './commands/print-completion.ts';
import { showAddresses } from './commands/show-addresses.ts';
import { showLogs } from './commands/show-logs.ts';
import { startServer } from './commands/start-server.ts';
import { syncFolder } from './commands/sync-folder.ts';
import { uploadFiles } from './commands/upload-files.ts';
import type { Environment } from './config.ts';
import { Context, type GlobalOptions } from './lib/context.ts';
import { Output } from './lib/output.ts';
import { VERSION } from './version.ts';

/** Makes the action of a command: gives it its context, arguments and options. */
export type WithContext = <Arguments extends unknown[], Options>(
  work: (context: Context, args: Arguments, options: Options) => Promise<void>,
) => (...given: unknown[]) => Promise<void>;

/** The `carcosa` command, with all below it. */
export function createProgram(environment: Environment): Command {
  const program = new Command('carcosa')
    .description('Files of a Carcosa server, and the server itself')
    .version(VERSION)
    .option('--url <url>', 'of the server (CARCOSA_URL)')
    .option('--key <key>', 'API key (CARCOSA_API_KEY)')
    .option('--project <id>', 'of which project (CARCOSA_PROJECT_ID)')
    .option('--json', 'answers as JSON, errors too')
    .showHelpAfterError('(--help tells how)')
    .configureHelp({ showGlobalOptions: true });
  const run: WithContext =
    (work) =>
    async (...given) => {
      const command = given.pop() as Command;
      const options = given.pop() as never;
      const all = command.optsWithGlobals<GlobalOptions>();
      const output = new Output(all.json ?? false, process.stdout, process.stderr);
      await work(new Context(environment, output, all), given as never, options);
    };
  const parts = [
    ...[startServer, initApp, checkHealth, logIn],
    ...[uploadFiles, downloadFiles, listFiles, changeFiles, syncFolder, showAddresses],
    ...[manageKeys, manageProjects, manageBuckets, listenForEvents, showLogs, migrateUploads],
    // The last, as it looks at all others.
    printCompletion,
  ];
  for (const add of parts) add(program, run);
  return program;
}
