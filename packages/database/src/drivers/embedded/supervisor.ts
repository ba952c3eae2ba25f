import { mkdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { CarcosaError, type Clock, type Logger } from '@carcosa/kernel';
import { hasCode } from '../system-error.ts';
import { claimDirectory, type DirectoryClaim } from './claim.ts';
import { APPLICATION_NAME, BYTE_ORDER, type Cluster, prepareCluster, SUPERUSER_NAME } from './cluster.ts';
import { bundledInstallation, type PostgresInstallation } from './installation.ts';
import { stopLeftover, stopProcess } from './leftover.ts';
import { chooseRunAs, type RunAs } from './run-as.ts';
import { type ServerOptions, type ServerProcess, startServer } from './server-process.ts';
import { SOCKET_PORT, serverSettings } from './settings.ts';
import { emptySocketDirectory, prepareSocketDirectory, removeTemporary } from './socket-directory.ts';

export interface EmbeddedPostgresOptions {
  /** Where the cluster, its password, socket and log live; created when absent. One process at a time. */
  readonly directory: string;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Default: the PostgreSQL that npm installed. */
  readonly installation?: PostgresInstallation;
  /** How initdb makes the default order of text, at first start. Default: that of bytes. */
  readonly localeArguments?: readonly string[];
  /** Settings beside or instead of ours. */
  readonly settings?: Readonly<Record<string, string | number>>;
}

/** A PostgreSQL server of ours that runs, and is started again should it end. */
export interface EmbeddedPostgres {
  /** As the application: owner of its database, not a superuser. */
  readonly connectionString: string;
  /** As superuser, for maintenance and tests. */
  readonly superuserConnectionString: string;
  /** Stops the server: sessions end, everything is written out. Then another process may use the directory. */
  stop(): Promise<void>;
}

const ORPHAN_ATTEMPTS = 50;
const ORPHAN_PAUSE = 100;
const FIRST_PAUSE = 50;
const LONGEST_PAUSE = 10_000;
/** A server that ran for so long has recovered: its next end counts as the first. */
const STEADY_AFTER = 60_000;

/**
 * Starts a PostgreSQL server on a directory, making the cluster at first use. A server that a killed process left running
 * there is stopped first.
 *
 * @throws CarcosaError `database_unavailable` when another process uses the directory or the server does not start,
 * `configuration_invalid` when it cannot start before a person changes something.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const directory = await prepareDirectory(options.directory);
  const claim = await claimDirectory(directory);
  try {
    const installation = options.installation ?? (await bundledInstallation(join(directory, 'lib')));
    const runAs = await chooseRunAs(installation, directory);
    const leftover = await stopLeftover(join(directory, 'data'), options.logger);
    await removeTemporary(leftover.socketDirectory ?? '');
    const localeArguments = options.localeArguments ?? BYTE_ORDER;
    const cluster = await prepareCluster({ directory, installation, runAs, localeArguments });
    const socketDirectory = await prepareSocketDirectory(directory, runAs);
    const supervisor = new Supervisor({ options, directory, claim, installation, runAs, cluster, socketDirectory });
    await supervisor.start();
    return supervisor;
  } catch (error) {
    await claim.release();
    throw error;
  }
}

async function prepareDirectory(path: string): Promise<string> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    return await realpath(path);
  } catch (cause) {
    if (!hasCode(cause, 'EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST')) throw cause;
    throw new CarcosaError('configuration_invalid', {
      message: `The directory ${path} cannot be made or entered: change its owner, or set CARCOSA_DATA_DIR to another one.`,
      cause,
    });
  }
}

/** Starts a server, waiting a moment for the children of one that was killed: they end when they notice. */
async function startWhenFree(options: ServerOptions): Promise<ServerProcess> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startServer(options);
    } catch (error) {
      const mayPass = error instanceof CarcosaError && error.message.includes('still in use');
      if (!mayPass || options.signal.aborted || attempt === ORPHAN_ATTEMPTS) throw error;
      await delay(ORPHAN_PAUSE);
    }
  }
}

/** An address that `pg`, psql and libpq read alike: a host that is a path holds the socket. */
export function socketAddress(user: string, server: { socketDirectory: string; password: string }): string {
  const { socketDirectory, password } = server;
  const parameters = new URLSearchParams({ host: socketDirectory, port: String(SOCKET_PORT) });
  // libpq takes a plus for a plus, not for a blank.
  return `postgres://${user}:${password}@/${APPLICATION_NAME}?${parameters.toString().replaceAll('+', '%20')}`;
}

interface SupervisorParts {
  readonly options: EmbeddedPostgresOptions;
  readonly directory: string;
  readonly claim: DirectoryClaim;
  readonly installation: PostgresInstallation;
  readonly runAs: RunAs;
  readonly cluster: Cluster;
  readonly socketDirectory: string;
}

class Supervisor implements EmbeddedPostgres {
  readonly connectionString: string;
  readonly superuserConnectionString: string;
  readonly #parts: SupervisorParts;
  readonly #stopping = new AbortController();
  #server: ServerProcess | undefined;
  #supervision: Promise<void> = Promise.resolve();

  constructor(parts: SupervisorParts) {
    this.#parts = parts;
    this.connectionString = socketAddress(APPLICATION_NAME, { ...parts, ...parts.cluster });
    this.superuserConnectionString = socketAddress(SUPERUSER_NAME, { ...parts, ...parts.cluster });
  }

  async start(): Promise<void> {
    const server = await this.#launch().catch(async (error: unknown) => {
      await removeTemporary(this.#parts.socketDirectory);
      throw error;
    });
    process.once('exit', this.#atExit);
    this.#supervision = this.#supervise(server);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    if (this.#server !== undefined) await stopProcess(this.#server.pid);
    await this.#supervision;
    process.removeListener('exit', this.#atExit);
    await removeTemporary(this.#parts.socketDirectory);
    await this.#parts.claim.release();
  }

  /** Should this process end without `stop()`, the server stops by itself a moment later. */
  readonly #atExit = (): void => {
    try {
      if (this.#server !== undefined) process.kill(this.#server.pid, 'SIGINT');
    } catch {
      // It has ended already.
    }
  };

  async #launch(): Promise<ServerProcess> {
    const { options, directory, installation, runAs, cluster, socketDirectory } = this.#parts;
    const { mistakenPid } = await stopLeftover(cluster.dataDirectory, options.logger);
    await emptySocketDirectory(socketDirectory);
    this.#server = await startWhenFree({
      installation,
      runAs,
      dataDirectory: cluster.dataDirectory,
      logFile: join(directory, 'postgresql.log'),
      settings: { ...serverSettings(installation, socketDirectory), ...options.settings },
      mistakenPid,
      signal: this.#stopping.signal,
    });
    return this.#server;
  }

  /** Starts the server again whenever it ends, with growing pauses, until we stop. */
  async #supervise(first: ServerProcess): Promise<void> {
    const { logger, clock } = this.#parts.options;
    let server: ServerProcess | undefined = first;
    let pause = FIRST_PAUSE;
    while (!this.#stopping.signal.aborted) {
      if (server !== undefined) {
        const startedAt = clock.now();
        const ending = await server.ended;
        this.#server = undefined;
        if (this.#stopping.signal.aborted) return;
        logger.error({ pid: server.pid, ending }, 'PostgreSQL ended unexpectedly; it is started again');
        if (clock.now() - startedAt >= STEADY_AFTER) pause = FIRST_PAUSE;
      }
      await delay(pause, undefined, { ref: false, signal: this.#stopping.signal }).catch(() => {});
      pause = Math.min(pause * 2, LONGEST_PAUSE);
      server = this.#stopping.signal.aborted ? undefined : await this.#relaunch();
    }
    if (server !== undefined) await stopProcess(server.pid);
  }

  async #relaunch(): Promise<ServerProcess | undefined> {
    const { logger } = this.#parts.options;
    try {
      const server = await this.#launch();
      logger.info({ pid: server.pid }, 'PostgreSQL runs again');
      return server;
    } catch (error) {
      logger.error({ error }, 'PostgreSQL did not start; it is tried again');
      return undefined;
    }
  }
}
