import { join } from 'node:path';
import type { AuditVerification } from '@carcosa/contracts';
import { type Database, findRunningPostgres, openDatabase, type Queryable, transaction } from '@carcosa/database';
import { type AuditHead, holdsAuditHead, verifyAllAudit } from '@carcosa/domain';
import { CarcosaError, isCarcosaError } from '@carcosa/kernel';
import { createLogger } from '../boot/log.ts';
import { readServerConfig, type ServerConfig } from '../config.ts';

/** `<organization id or "server">:<sequence>:<hash>`, as the command itself prints heads. */
const HEAD = /^(server|org_[0-9a-z]{26}):(\d{1,15}):([0-9a-f]{64})$/;

/** Exit codes: every chain is whole; something was changed, removed or added; it could not be found out. */
const WHOLE = 0;
const BROKEN = 1;
const UNKNOWN = 2;

/**
 * Verifies the audit log of every organization, and says on standard output what it found, the first broken link of each. Only looks:
 * it may run beside nodes, also those with the embedded database.
 * @param args heads that were printed earlier and kept elsewhere: each must still be in its chain
 * @returns the exit code
 */
export async function verifyAuditChains(args: readonly string[]): Promise<number> {
  let database: Database | undefined;
  try {
    const heads = args.map(parseHead);
    const opened = await open(readServerConfig());
    database = opened;
    const snapshot = <Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result> =>
      transaction(opened.pool, work, { isolation: 'repeatable read' });
    let broken = 0;
    for await (const found of verifyAllAudit({ db: opened.pool, snapshot })) {
      say(lineOf(found));
      if (!found.isWhole) broken += 1;
    }
    for (const head of heads) if (!(await sayOfHead(opened.pool, head))) broken += 1;
    say(broken === 0 ? 'The audit log is whole.' : 'The audit log is BROKEN.');
    return broken === 0 ? WHOLE : BROKEN;
  } catch (error) {
    const reason = isCarcosaError(error) ? error.message : (error as Error).stack;
    process.stderr.write(`Cannot verify the audit log: ${reason}\n`);
    return UNKNOWN;
  } finally {
    await database?.close();
  }
}

/** A server that is running is asked where it is: nobody else may start one on its directory. */
async function open({ databaseUrl, dataDir, logLevel }: ServerConfig): Promise<Database> {
  const directory = join(dataDir, 'database');
  const url = databaseUrl ?? (await findRunningPostgres(directory));
  // A chain of millions takes longer to read than any request may.
  return await openDatabase({ url, directory, logger: createLogger(logLevel ?? 'warn'), poolSize: 2 });
}

function lineOf({ organizationId, isWhole, entries, unsealed, sequence, hash, problem }: AuditVerification): string {
  const name = organizationId ?? 'server';
  if (!isWhole && problem) {
    const entry = problem.entryId === null ? '' : ` (entry ${problem.entryId})`;
    return `${name}: BROKEN: number ${problem.sequence}${entry} ${problem.reason}`;
  }
  const waiting = unsealed === 0 ? '' : `, ${unsealed} wait to be sealed`;
  const head = sequence === 0 ? '' : `; head ${name}:${sequence}:${hash}`;
  return `${name}: ${entries} entries are whole${waiting}${head}`;
}

async function sayOfHead(db: Queryable, head: AuditHead): Promise<boolean> {
  const name = `${head.organizationId || 'server'}:${head.sequence}`;
  const found = await holdsAuditHead(db, head);
  if (found === 'removed') say(`${name}: removed by retention since, and cannot be compared`);
  else say(`${name}: ${found === 'held' ? 'is as it was' : 'BROKEN: is not what it was'}`);
  return found !== 'lost';
}

function parseHead(text: string): AuditHead {
  const [, name, sequence, hash] = HEAD.exec(text) ?? [];
  if (name === undefined || hash === undefined) {
    throw new CarcosaError('invalid_request', {
      message: `"${text}" is no head: give <organization id or "server">:<sequence>:<hash>.`,
    });
  }
  return { organizationId: name === 'server' ? '' : name, sequence: Number(sequence), hash: Buffer.from(hash, 'hex') };
}

const say = (line: string): void => void process.stdout.write(`${line}\n`);
