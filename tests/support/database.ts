import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { type Database, openDatabase } from '@carcosa/database';
import { type Logger, silentLogger } from '@carcosa/kernel';

/** The embedded PostgreSQL 18, or the oldest that we support as Debian packs it. */
export type DatabaseKind = 'embedded' | 'postgres';

export const DEBIAN_MAJOR = 15;
export const DEBIAN_BINARIES = `/usr/lib/postgresql/${DEBIAN_MAJOR}/bin`;

/** The variable that leads to the servers of this run, set by the global set-up `database-servers.ts`. */
export const SERVERS_VARIABLE = 'CARCOSA_TEST_DATABASES';

/** The kinds that this machine can run, for `describe.each(databaseKinds())`. */
export function databaseKinds(): DatabaseKind[] {
  if (existsSync(`${DEBIAN_BINARIES}/postgres`)) return ['embedded', 'postgres'];
  process.stderr.write(
    `Not run on PostgreSQL ${DEBIAN_MAJOR}: ${DEBIAN_BINARIES} is not there (apt-get install postgresql-${DEBIAN_MAJOR}).\n`,
  );
  return ['embedded'];
}

export interface TestDatabaseOptions {
  kind: DatabaseKind;
  /** Without our tables; default false. */
  isEmpty?: boolean;
  poolSize?: number;
  /** Milliseconds. */
  statementTimeout?: number;
  logger?: Logger;
}

/** A database of its own for the caller, migrated; `close` drops it, whoever is still connected. About 50 ms. */
export async function createTestDatabase(options: TestDatabaseOptions): Promise<Database> {
  const { kind, isEmpty = false, poolSize = 5, statementTimeout, logger = silentLogger } = options;
  const url = await ask('POST', `/${kind}${isEmpty ? '?empty' : ''}`);
  const name = new URL(url.replace('@/', '@host/')).pathname;
  const database = await openDatabase({ url, directory: '/nowhere', poolSize, statementTimeout, logger });
  return {
    ...database,
    close: async () => {
      await database.close();
      await ask('DELETE', `/${kind}${name}`);
    },
  };
}

function ask(method: string, path: string): Promise<string> {
  const socketPath = process.env[SERVERS_VARIABLE];
  if (socketPath === undefined)
    throw new Error('Add tests/support/database-servers.ts to globalSetup of the vitest configuration');
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, method, path, agent: false }, async (response) => {
      const body = (await response.setEncoding('utf8').toArray()).join('');
      if (response.statusCode === 200) resolve(body);
      else reject(new Error(`${method} ${path}: ${body}`));
    });
    asked.on('error', reject).end();
  });
}
