import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../exit-codes.ts';
import type { WithContext } from '../program.ts';

interface Options {
  port?: string;
  host?: string;
  dataDir?: string;
}

/** Becomes the server that is installed beside this command: no checkout is needed. */
export function startServer(program: Command, run: WithContext): void {
  program
    .command('start')
    .description('start a server here; its data goes to ./.carcosa')
    .option('--port <port>', 'default 4000 (PORT)')
    .option('--host <host>', 'default 127.0.0.1 (HOST)')
    .option('--data-dir <folder>', 'default ./.carcosa (CARCOSA_DATA_DIR)')
    .addHelpText('after', '\nEverything else is set by the environment: docs/configuration.md tells all variables.')
    .action(
      run(async (context, _args: [], { port, host, dataDir }: Options) => {
        const own = { PORT: port, HOST: host, CARCOSA_DATA_DIR: dataDir };
        const set = Object.entries(own).filter(([, value]) => value !== undefined);
        await become(serverCommand(), { ...context.environment.all, ...Object.fromEntries(set) });
      }),
    );
}

/** Flags and program of the server. */
function serverCommand(): string[] {
  const { resolve } = createRequire(import.meta.url);
  try {
    const { config } = JSON.parse(readFileSync(resolve('@carcosa/server/package.json'), 'utf8'));
    return ['--disable-warning=ExperimentalWarning', ...config.nodeFlags.split(' '), resolve('@carcosa/server/main')];
  } catch (error) {
    const message = `The server is not installed beside this command: npm install @carcosa/server (${(error as Error).message}).`;
    throw new CommandFailure(message, EXIT.failed);
  }
}

/** Signals and the exit code are those of the server. */
async function become(args: string[], env: NodeJS.ProcessEnv): Promise<void> {
  if (process.execve) process.execve(process.execPath, [process.execPath, ...args], env);
  const child = spawn(process.execPath, args, { env, stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  process.exitCode = await new Promise<number>((ended) => child.on('exit', (code) => ended(code ?? EXIT.failed)));
}
