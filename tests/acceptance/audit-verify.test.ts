import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { expectData } from '../support/api.ts';
import { until } from '../support/clock.ts';
import { databaseFolders } from '../support/embedded-database.ts';
import { register } from '../support/people.ts';
import { serverCommand } from '../support/process.ts';
import { type Server, startServer } from '../support/server.ts';

interface Verification {
  organizationId: string;
  isWhole: boolean;
  entries: number;
  unsealed: number;
  problem: { sequence: number; reason: string } | null;
}

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

/** What `npm run audit:verify` runs. */
function verify(...args: string[]): Promise<{ code: number; output: string; errors: string }> {
  const { PATH, HOME, LANG, TMPDIR } = process.env;
  const env = { PATH, HOME, LANG, TMPDIR, ...server.env };
  return new Promise((resolve) => {
    execFile(process.execPath, [...serverCommand(), 'verify-audit', ...args], { env }, (error, output, errors) => {
      resolve({ code: error ? Number(error.code) : 0, output, errors });
    });
  });
}

/** As whoever owns the machine may: by the superuser of the database. */
async function tamper(...statements: string[]): Promise<void> {
  const client = new Client(await superuser());
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

async function superuser(): Promise<
  { connectionString: string } | { host: string; user: string; password: string; database: string }
> {
  if (server.env.DATABASE_URL !== undefined) return { connectionString: server.env.DATABASE_URL };
  const [data = ''] = await databaseFolders(server.dataDir);
  const lines = (await readFile(path.join(data, 'postmaster.pid'), 'utf8')).split('\n');
  const password = (await readFile(path.join(data, '..', 'password'), 'utf8')).trim();
  return { host: lines[4]?.trim() ?? '', user: 'postgres', password, database: 'carcosa' };
}

it('an audit log is verified by a command and by its owners, whole and broken', { timeout: 180_000 }, async () => {
  for (let index = 0; index < 3; index++) {
    const options = { query: { path: `${index}.txt` }, body: 'x', headers: { 'content-type': 'text/plain' } };
    expectData(await server.api('POST', '/files', options), 201);
  }
  const owner = await register(server);
  const organization = expectData(
    await owner.call<{ items: { organizationId: string }[] }>('GET', '/audit-logs', {
      query: { projectId: server.projectId, limit: 1 },
    }),
  ).items[0]?.organizationId;
  const ask = async (): Promise<Verification> =>
    expectData(
      await owner.call<Verification>('GET', '/audit-logs/verify', { query: { organizationId: organization } }),
    );
  await until(async () => (await ask()).unsealed === 0, { what: 'the sealing of all entries', within: 40_000 });
  expect(await ask()).toMatchObject({ isWhole: true, organizationId: organization, problem: null });

  const whole = await verify();
  expect(whole, whole.errors).toMatchObject({ code: 0, errors: '' });
  expect(whole.output).toMatch(/The audit log is whole\.\n$/);
  const [, head = ''] = new RegExp(`head (${organization}:\\d+:[0-9a-f]{64})`).exec(whole.output) ?? [];
  expect(head).not.toBe('');
  expect(await verify(head)).toMatchObject({ code: 0 });
  expect((await verify(head.replace(/.$/, (last) => (last === '0' ? '1' : '0')))).code).toBe(1);
  expect(await verify('nonsense')).toMatchObject({ code: 2, errors: expect.stringContaining('"nonsense" is no head') });

  const where = `id = (select entry_id from audit_seals where organization_id = '${organization}' and sequence = 2)`;
  await tamper(
    'alter table audit_entries disable trigger user',
    `update audit_entries set actor_id = 'usr_somebody_else' where ${where}`,
    'alter table audit_entries enable trigger user',
  );
  const broken = await verify();
  expect(broken.code).toBe(1);
  expect(broken.output).toMatch(new RegExp(`${organization}: BROKEN: number 2 \\(entry \\d+\\) was changed`));
  expect(broken.output).toMatch(/The audit log is BROKEN\.\n$/);
  expect(await ask()).toMatchObject({ isWhole: false, problem: { sequence: 2 } });

  await server.kill('SIGTERM');
  expect(await verify(), 'also when the server is not up').toMatchObject({ code: 1 });
  await server.restart();
  expect(await ask()).toMatchObject({ isWhole: false, problem: { sequence: 2 } });
});
