import { join } from 'node:path';
import { obtain } from './commands.ts';
import { peakResidentBytes } from './processes.ts';
import { freePort, ServerProcess } from './server-process.ts';
import type { Workspace } from './workspace.ts';

export type BenchOptions = {
  readonly workspace: Workspace;
  /** Measured rounds a contestant; one more is run first and thrown away. */
  readonly rounds: number;
  /** The long versions: 100 uploads of 1 GiB where memory is watched instead of 10. */
  readonly full: boolean;
};

/** What a claim is given: the workspace, how much to do, and ways to start servers that end with the claim. */
export class Bench {
  readonly workspace: Workspace;
  readonly rounds: number;
  readonly full: boolean;
  readonly #started: { stop(): Promise<unknown> }[] = [];

  constructor(options: BenchOptions) {
    this.workspace = options.workspace;
    this.rounds = options.rounds;
    this.full = options.full;
  }

  /** Starts a server of bench/peers/ with this run's Node; `env` tells it where its files are. */
  async startPeer(file: string, env: Readonly<Record<string, string>>): Promise<ServerProcess> {
    const port = await freePort();
    return this.keep(
      await ServerProcess.start({
        name: file,
        program: process.execPath,
        args: [join(import.meta.dirname, '..', 'peers', `${file}.ts`)],
        env: { ...env, PORT: String(port) },
        port,
        logFile: this.workspace.logFile(file),
      }),
    );
  }

  /** Has something stopped when the claim ends, whatever happens. */
  keep<Started extends { stop(): Promise<unknown> }>(started: Started): Started {
    this.#started.push(started);
    return started;
  }

  /** Path of a program, or null and a line on the console that it cannot be had. */
  async program(name: string): Promise<string | null> {
    const path = await obtain(name);
    if (path === null) console.log(`  ${name} could not be had: measured without it`);
    return path;
  }

  /** Peak resident sizes of the servers that run now, MB by name. */
  peaks(): Record<string, number> {
    const servers = this.#started.filter((started) => started instanceof ServerProcess);
    return Object.fromEntries(servers.map(({ name, pid }) => [name, Math.round(peakResidentBytes(pid) / 1e6)]));
  }

  async stopAll(): Promise<void> {
    for (const started of this.#started.splice(0).reverse()) await started.stop();
  }
}
