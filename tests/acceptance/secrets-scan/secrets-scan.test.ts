import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { expectData } from '../../support/api.ts';
import { register } from '../../support/people.ts';
import { LOGS_VARIABLE, SECRETS_FILE, STARTED_FILE } from '../../support/run-logs.ts';
import { problemOf, scanLogs } from '../../support/secrets-scan.ts';
import { startServer } from '../../support/server.ts';

const base64url = (text: string): string => Buffer.from(text).toString('base64url');
const JWT = `${base64url('{"alg":"HS256"}')}.${base64url('{"sub":"somebody"}')}.${'s'.repeat(43)}`;

describe('the search for secrets', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'carcosa-scan-'));
    await writeFile(path.join(folder, 'server-1-a.log'), 'Carcosa is ready\n{"level":"info","msg":"request"}\n');
    await writeFile(path.join(folder, STARTED_FILE), 'server-1-a.log\n');
    await writeFile(
      path.join(folder, SECRETS_FILE),
      `${JSON.stringify({ kind: 'password', value: 'correct horse' })}\n`,
    );
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('passes logs without any, and says how much it saw', async () => {
    const scan = await scanLogs(folder);
    expect(scan).toEqual({ logs: 1, bytes: 50, lines: 2, marked: 1, started: 1, handedOn: 0, findings: [] });
    expect(problemOf(scan)).toBeNull();
  });

  it.each([
    ['password', '{"msg":"login","body":"correct horse battery"}'],
    ['API key', `authorization: Bearer sk_${'a'.repeat(16)}_${'b'.repeat(43)}`],
    ['JSON Web Token', `cookie: session=${JWT}; path=/`],
    ['webhook secret', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
    ['private key', '-----BEGIN EC PRIVATE KEY-----'],
    ['password in an address', 'could not connect to postgres://carcosa:hunter22@db.example/x'],
  ])('finds a %s, and names file and line without repeating it', async (kind, line) => {
    await writeFile(path.join(folder, 'server-2-b.log'), `first\nsecond\n${line}\nfourth\n`);
    const scan = await scanLogs(folder);
    expect(scan.findings).toMatchObject([{ file: path.join(folder, 'server-2-b.log'), line: 3, kind }]);
    const problem = problemOf(scan) ?? '';
    expect(problem).toContain(`server-2-b.log:3: ${kind}`);
    expect(problem).not.toContain(line);
    expect(problem).not.toMatch(/horse|hunter22|b{43}|s{43}|UPD8/);
  });

  it('passes nothing vacuously', async () => {
    await writeFile(path.join(folder, SECRETS_FILE), '');
    expect(problemOf(await scanLogs(folder)), 'no secret was known').toContain('proves nothing');
    await writeFile(path.join(folder, SECRETS_FILE), `${JSON.stringify({ kind: 'x', value: 'x'.repeat(20) })}\n`);
    await writeFile(path.join(folder, 'server-1-a.log'), '');
    expect(problemOf(await scanLogs(folder)), 'nothing was printed').toContain('proves nothing');
    await appendFile(path.join(folder, STARTED_FILE), 'server-9-z.log\n');
    await expect(scanLogs(folder), 'a log is missing').rejects.toThrow('server-9-z.log');
  });

  it('lets pass the link that stands there on purpose, and no other line with it', async () => {
    const link = `"link":"http://x/reset?token=${JWT}"`;
    await appendFile(
      path.join(folder, 'server-1-a.log'),
      `{${link},"msg":"no mail server is configured: hand this link on yourself"}\n{${link},"msg":"request"}\n`,
    );
    const scan = await scanLogs(folder);
    expect(scan).toMatchObject({ handedOn: 1, findings: [{ line: 4, kind: 'JSON Web Token' }] });
  });
});

it('every server of a run is searched, for all that it was given and gave out', async () => {
  const folder = process.env[LOGS_VARIABLE] ?? '';
  expect(folder, 'the global set-up ran').not.toBe('');
  const rootSecret = 'a-root-secret-that-this-very-test-made-up';
  const server = await startServer({ env: { CARCOSA_LOG_LEVEL: 'trace', CARCOSA_SECRET: rootSecret } });
  try {
    const person = await register(server);
    const body = { name: 'x', permissions: ['files:read'] };
    const made = expectData(await server.api<Record<string, unknown>>('POST', '/api-keys', { json: body }), 201);
    await server.api('GET', `/files?apiKey=${server.apiKey}`, { headers: { cookie: `session=${person.accessToken}` } });
    const secrets = await readFile(path.join(folder, SECRETS_FILE), 'utf8');
    const newKey = /sk_\w+_(\w{43})/.exec(JSON.stringify(made))?.[1] ?? 'none';
    const known = [
      rootSecret,
      server.apiKey.split('_')[2],
      person.refreshToken,
      person.accessToken,
      person.password,
      newKey,
    ];
    for (const secret of known) expect(secrets).toContain(JSON.stringify(secret));
  } finally {
    await server.stop();
  }
  const started = await readFile(path.join(folder, STARTED_FILE), 'utf8');
  const log = started.split('\n').find((name) => name.startsWith(`server-${server.pid}-`)) ?? '';
  expect(await readFile(path.join(folder, log), 'utf8'), 'all that it printed').toBe(server.logs);
});
