import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFileSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** The variable with the folder that gathers what all servers of a run print, and the secrets that they must not. */
export const LOGS_VARIABLE = 'CARCOSA_TEST_LOGS';
/** In it, one JSON text a line: `{ kind, value }`. */
export const SECRETS_FILE = 'secrets.jsonl';
/** In it, the name of a log a line, written when a server was started. */
export const STARTED_FILE = 'started.txt';

/** Below this, a text is too common to be looked for. */
const SHORTEST_SECRET = 12;
const SECRET_VARIABLES = /SECRET|PASSWORD|TOKEN|ENCRYPTION_KEY/;
/** In JSON: what stands under the names that our API gives secrets, and API keys under any. */
const SECRET_FIELDS =
  /"(accessToken|refreshToken|token|secret|secretAccessKey|password|newPassword|currentPassword)"\s*:\s*"([^"\\]{12,})"/g;
const API_KEYS = /sk_[0-9A-Za-z]{8,32}_([0-9A-Za-z]{32,64})/g;

const marked = new Set<string>();

const folder = (): string | undefined => process.env[LOGS_VARIABLE];

/** Keeps what a server prints until the end of the run, when it is searched for secrets; and marks those that it was given. */
export function keepOutput(child: ChildProcess, env: Readonly<Record<string, string | undefined>>): void {
  const into = folder();
  if (into === undefined) return;
  const name = `server-${child.pid ?? 'none'}-${randomBytes(4).toString('hex')}.log`;
  appendFileSync(path.join(into, name), '');
  appendFileSync(path.join(into, STARTED_FILE), `${name}\n`);
  // At once: a test that ends early must not lose what its server said last.
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: string | Buffer) => appendFileSync(path.join(into, name), chunk));
  for (const [variable, value = ''] of Object.entries(env)) {
    if (SECRET_VARIABLES.test(variable)) for (const part of [value, ...value.split(/[,:]/)]) markSecret(variable, part);
    if (variable.endsWith('_URL')) markSecret(`the password of ${variable}`, passwordOf(value));
  }
}

/** Keeps the log of another program, such as the database of a server, for the same search. */
export function keepLog(file: string): void {
  const into = folder();
  if (into === undefined) return;
  const text = readIfPresent(file);
  if (text !== '')
    appendFileSync(path.join(into, `${path.basename(file, '.log')}-${randomBytes(4).toString('hex')}.log`), text);
}

/** Says that no log of the run may have this text. Short ones are not looked for. */
export function markSecret(kind: string, value: string): void {
  const into = folder();
  if (into === undefined || value.length < SHORTEST_SECRET || marked.has(value)) return;
  marked.add(value);
  appendFileSync(path.join(into, SECRETS_FILE), `${JSON.stringify({ kind, value })}\n`);
}

/** The same for a file with nothing but a secret. */
export function markSecretFile(kind: string, file: string): void {
  markSecret(kind, readIfPresent(file).trim());
}

/** Marks the secrets in the JSON of a request or an answer. */
export function markSecretsOf(json: string): void {
  if (folder() === undefined) return;
  for (const [, name = '', value = ''] of json.matchAll(SECRET_FIELDS)) markSecret(name, value);
  for (const [, secret = ''] of json.matchAll(API_KEYS)) markSecret('API key', secret);
}

function passwordOf(address: string): string {
  return decodeURIComponent(/^\w+:\/\/[^\s/@:]*:([^\s/@]+)@/.exec(address)?.[1] ?? '');
}

function readIfPresent(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
