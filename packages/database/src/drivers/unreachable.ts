import { CarcosaError, isCarcosaError } from '@carcosa/kernel';
import pg from 'pg';
import { isDatabaseError, sqlStateOf } from '../errors.ts';

/** What the server says at log-in, and what a person does about it. */
const LOGIN_ADVICE: Readonly<Record<string, string>> = {
  '28P01': 'does not accept the password: correct it in DATABASE_URL.',
  '28000': 'does not let this user in: correct DATABASE_URL, or allow it in pg_hba.conf.',
  '3D000': 'has no such database: create it (createdb), or correct DATABASE_URL.',
  '42501': 'does not let this user use that database: grant it CONNECT and CREATE.',
  '53300': 'has no connection left: raise its max_connections, or lower CARCOSA_DATABASE_POOL_SIZE.',
  '57P03': 'is still starting: wait until it accepts connections, then start again.',
};

const SYSTEM_ADVICE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'does not answer: start it, or correct DATABASE_URL.',
  ENOENT: 'does not answer: start it, or correct DATABASE_URL.',
  EACCES: 'cannot be reached by this user: change the rights of its socket, or correct DATABASE_URL.',
  ENOTFOUND: 'cannot be found: correct the host in DATABASE_URL.',
  EAI_AGAIN: 'cannot be found: the name service does not answer; check the network and the host in DATABASE_URL.',
};

/**
 * An error of the first connection as one line that names the server, without the password, and says what to do. Errors
 * that are not of the database are returned as they are.
 */
export function explainUnreachable(error: unknown, connectionString: string): unknown {
  if (isCarcosaError(error) || !(error instanceof Error)) return error;
  if ('code' in error && error.code === 'ERR_INVALID_URL') {
    return new CarcosaError('configuration_invalid', {
      message: 'DATABASE_URL must be an address such as postgres://user:password@host:5432/database.',
    });
  }
  const advice = LOGIN_ADVICE[sqlStateOf(error) ?? ''] ?? systemAdvice(error) ?? tlsAdvice(error);
  if (advice === undefined && !isDatabaseError(error)) return error;
  return new CarcosaError('database_unavailable', {
    message: `The database at ${describeServer(connectionString)} ${advice ?? `cannot be used: ${firstLine(error)}`}`,
    cause: error,
  });
}

function systemAdvice(error: Error): string | undefined {
  // Node tries every address of a name and reports what each said.
  const inner = error instanceof AggregateError ? error.errors[0] : error;
  return inner instanceof Error && 'code' in inner ? SYSTEM_ADVICE[String(inner.code)] : undefined;
}

function tlsAdvice(error: Error): string | undefined {
  if (error.message === 'The server does not support SSL connections') {
    return 'speaks no TLS: enable it there, or take sslmode out of DATABASE_URL.';
  }
  if ('code' in error && /CERT|SELF_SIGNED|ALTNAME/.test(String(error.code))) {
    return 'shows a certificate that is not trusted: add sslrootcert=<file of its authority> to DATABASE_URL.';
  }
  return undefined;
}

const firstLine = (error: Error): string => error.message.split('\n')[0] ?? '';

/** "host:port/database", as a person knows it. */
function describeServer(connectionString: string): string {
  try {
    const { host, port, database } = new pg.Client({ connectionString });
    return host.startsWith('/') ? `${host} (${database})` : `${host}:${port}/${database}`;
  } catch {
    return 'DATABASE_URL';
  }
}
