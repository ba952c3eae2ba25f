import { createReadStream } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { SECRETS_FILE, STARTED_FILE } from './run-logs.ts';

/** Secrets that are known by their form, whether or not somebody marked them; "password" itself stands in an example. */
const FORMS: readonly [kind: string, form: RegExp][] = [
  ['API key', /sk_[0-9A-Za-z]{8,32}_[0-9A-Za-z]{32,64}/],
  ['webhook secret', /whsec_[0-9A-Za-z+/=_-]{16,}/],
  ['JSON Web Token', /eyJ[0-9A-Za-z_-]{6,}\.eyJ[0-9A-Za-z_-]{6,}\.[0-9A-Za-z_-]{16,}/],
  ['private key', /-----BEGIN [A-Z ]*PRIVATE KEY-----/],
  ['password in an address', /\b[a-z][a-z0-9+.-]*:\/\/[^\s/?#@:"']*:(?!\*+@|\[|password@)[^\s/?#@"']{6,}@/],
];

/** The one line that has a link on purpose: without a mail server, whoever runs the server hands it on. */
const HANDED_ON = '"no mail server is configured: hand this link on yourself"';

export interface Finding {
  file: string;
  /** From 1. */
  line: number;
  kind: string;
  /** The beginning of what was found, so that the report is not one more leak. */
  excerpt: string;
}

export interface Scan {
  logs: number;
  bytes: number;
  lines: number;
  /** Secrets that were marked and looked for. */
  marked: number;
  /** Servers that were started, each of which must have a log. */
  started: number;
  /** Lines with a link that are there on purpose. */
  handedOn: number;
  findings: Finding[];
}

/** Searches all logs of a run's folder for marked secrets and for what has the form of one. */
export async function scanLogs(folder: string): Promise<Scan> {
  const secrets = (await linesOf(folder, SECRETS_FILE)).map(
    (line) => JSON.parse(line) as { kind: string; value: string },
  );
  const started = new Set(await linesOf(folder, STARTED_FILE));
  const logs = (await readdir(folder)).filter((name) => name.endsWith('.log')).sort();
  const missing = [...started].filter((name) => !logs.includes(name));
  if (missing.length > 0) throw new Error(`logs of servers are missing: ${missing.join(', ')}`);
  const scan: Scan = {
    logs: logs.length,
    bytes: 0,
    lines: 0,
    marked: secrets.length,
    started: started.size,
    handedOn: 0,
    findings: [],
  };
  for (const name of logs) {
    let line = 0;
    for await (const text of createInterface({
      input: createReadStream(path.join(folder, name)),
      crlfDelay: Infinity,
    })) {
      line += 1;
      scan.bytes += Buffer.byteLength(text) + 1;
      const found = secretIn(text, secrets);
      if (found && text.includes(HANDED_ON)) scan.handedOn += 1;
      else if (found) scan.findings.push({ file: path.join(folder, name), line, ...found });
    }
    scan.lines += line;
  }
  return scan;
}

function secretIn(
  text: string,
  secrets: readonly { kind: string; value: string }[],
): { kind: string; excerpt: string } | null {
  const marked = secrets.find(({ value }) => text.includes(value));
  if (marked) return { kind: marked.kind, excerpt: `${marked.value.slice(0, 4)}…` };
  for (const [kind, form] of FORMS) {
    const [match] = form.exec(text) ?? [];
    if (match !== undefined) return { kind, excerpt: `${match.slice(0, 8)}…` };
  }
  return null;
}

/** What is wrong with a run, for a person; null when nothing is. A search that looked at nothing, or for nothing, proves nothing. */
export function problemOf({ started, bytes, marked, findings }: Scan): string | null {
  if (started > 0 && (bytes === 0 || marked === 0))
    return `The search for secrets saw ${bytes} bytes of ${started} servers and knew ${marked} secrets: it proves nothing.`;
  if (findings.length === 0) return null;
  const lines = findings.slice(0, 50).map(({ file, line, kind, excerpt }) => `  ${file}:${line}: ${kind} (${excerpt})`);
  return `Secrets are in the logs of servers, in ${findings.length} lines:\n${lines.join('\n')}`;
}

async function linesOf(folder: string, name: string): Promise<string[]> {
  const text = await readFile(path.join(folder, name), 'utf8').catch(() => '');
  return text.split('\n').filter((line) => line !== '');
}
