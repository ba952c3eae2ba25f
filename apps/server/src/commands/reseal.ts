import { join } from 'node:path';
import { type Database, findRunningPostgres, openDatabase } from '@carcosa/database';
import { KeyRing, type ResealReport, resealAll, Sealer } from '@carcosa/domain';
import { isCarcosaError, systemRandom } from '@carcosa/kernel';
import { createLogger } from '../boot/log.ts';
import { rootSecret } from '../boot/secret.ts';
import { readServerConfig, type ServerConfig } from '../config.ts';

/**
 * Seals every stored secret with the newest key of CARCOSA_ENCRYPTION_KEYS, and says on standard output how many there were. May run beside
 * nodes that have that key too, also those with the embedded database.
 * @returns the exit code: 1 where something could not be done, each with a line on standard error
 */
export async function reseal(): Promise<number> {
  let database: Database | undefined;
  try {
    const config = readServerConfig();
    const keyRing = new KeyRing(config.encryptionKeys, await rootSecret(config.secret, config.dataDir));
    const sealer = new Sealer({ keyRing, random: systemRandom });
    database = await open(config);
    return tell(await resealAll({ db: database.pool, sealer }), keyRing.newest.id);
  } catch (error) {
    process.stderr.write(`Cannot reseal: ${isCarcosaError(error) ? error.message : (error as Error).stack}\n`);
    return 1;
  } finally {
    await database?.close();
  }
}

/** A server that is running is asked where it is: nobody else may start one on its directory. */
async function open({ databaseUrl, dataDir, logLevel }: ServerConfig): Promise<Database> {
  const directory = join(dataDir, 'database');
  const url = databaseUrl ?? (await findRunningPostgres(directory));
  return await openDatabase({ url, directory, logger: createLogger(logLevel ?? 'warn'), poolSize: 2 });
}

function tell({ resealed, failed }: ResealReport, newest: string): number {
  process.stdout.write(`${resealed} secrets are now sealed with the key "${newest}".\n`);
  for (const { kind, id, problem } of failed) process.stderr.write(`Not resealed: ${kind} ${id}: ${problem}\n`);
  return failed.length === 0 ? 0 : 1;
}
