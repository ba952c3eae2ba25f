import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Database } from '@carcosa/database';
import { announceMembership } from '@carcosa/domain';
import { ManualClock, type OrganizationId, type SessionId, type UserId } from '@carcosa/kernel';
import { startTestNode, type TestNode } from '@carcosa/server/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { now, until } from '../../support/clock.ts';
import { createTestDatabase } from '../../support/database.ts';
import { newEmail, PASSWORD } from '../../support/people.ts';

const DAY = 24 * 3_600_000;

interface Made {
  user: { id: UserId };
  sessionId: SessionId;
  accessToken: string;
  refreshToken: string;
}
interface Told {
  status: number;
  data: Made;
}

let database: Database;
let dataDir: string;
let clock: ManualClock;
let here: TestNode;
let there: TestNode;

// One real database, two nodes: the library for people keeps its own time, which is that of this machine.
beforeAll(async () => {
  database = await createTestDatabase({ kind: 'embedded' });
  dataDir = await mkdtemp(path.join(tmpdir(), 'carcosa-people-'));
  clock = new ManualClock(Math.floor(now()));
  const env = { DATABASE_URL: database.connectionString, CARCOSA_DATA_DIR: dataDir };
  here = await startTestNode({ env, clock });
  there = await startTestNode({ env, clock });
});
afterAll(async () => {
  await here?.close();
  await there?.close();
  await database?.close();
  await rm(dataDir, { recursive: true, force: true });
});
// Limits by address would meet the one machine that makes all these requests.
beforeEach(() => clock.advance(3_600_000));

async function ask(node: TestNode, method: string, address: string, token?: string, json?: unknown): Promise<Told> {
  const headers: Record<string, string> = {
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...(json === undefined ? {} : { 'content-type': 'application/json' }),
  };
  const body = json === undefined ? null : JSON.stringify(json);
  const answer = await fetch(`${node.url}/api/v1${address}`, { method, headers, body });
  const text = await answer.text();
  return { status: answer.status, data: text === '' ? (null as never) : (JSON.parse(text) as { data: Made }).data };
}

async function register(): Promise<Made & { email: string }> {
  const email = newEmail();
  const { status, data } = await ask(here, 'POST', '/auth/register', undefined, { email, password: PASSWORD });
  expect(status).toBe(201);
  return { ...data, email };
}

const me = async (node: TestNode, { accessToken }: Made) => (await ask(node, 'GET', '/auth/me', accessToken)).status;
const refresh = (node: TestNode, refreshToken: string) =>
  ask(node, 'POST', '/auth/refresh', undefined, { refreshToken });

describe('on two nodes', () => {
  it('a session that has ended on one is refused on the other within a second', async () => {
    const person = await register();
    expect(await me(there, person)).toBe(200);
    expect((await ask(here, 'POST', '/auth/logout', person.accessToken)).status).toBe(204);
    expect(await me(here, person)).toBe(401);
    await until(async () => (await me(there, person)) === 401, { within: 1000, what: 'the end of the session' });
  });

  it('a stolen token that comes again ends the session on the other too', async () => {
    const person = await register();
    const second = await refresh(here, person.refreshToken);
    await refresh(here, second.data.refreshToken);
    expect(await me(there, second.data)).toBe(200);
    expect((await refresh(here, person.refreshToken)).status).toBe(401);
    await until(async () => (await me(there, second.data)) === 401, { within: 1000, what: 'the end of the session' });
  });

  it('a membership that was given and taken counts on both within a second', async () => {
    const person = await register();
    const { rows } = await database.pool.query<{ id: OrganizationId; project: string }>(
      `select o.id, p.id as project from organizations o join projects p on p.organization_id = o.id where o.slug = 'default'`,
    );
    const place = rows[0] as { id: OrganizationId; project: string };
    const files = async (node: TestNode) =>
      (await ask(node, 'GET', `/files?projectId=${place.project}`, person.accessToken)).status;
    const change = (sql: string) =>
      here.carcosa.inTransaction(async (tx) => {
        await tx.query(sql, [place.id, person.user.id]);
        await announceMembership(tx, person.user.id);
      });
    for (const node of [here, there]) expect(await files(node)).toBe(404);
    await change(`insert into organization_members values ($1, $2, 'admin', now())`);
    for (const node of [here, there])
      await until(async () => (await files(node)) === 200, { within: 1000, what: 'the membership' });
    await change('delete from organization_members where organization_id = $1 and user_id = $2');
    for (const node of [here, there])
      await until(async () => (await files(node)) === 404, { within: 1000, what: 'the end of the membership' });
  });

  it('of those who bring one refresh token to both at once, all get the same next one', async () => {
    const person = await register();
    const answers = await Promise.all([here, there, here, there].map((node) => refresh(node, person.refreshToken)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(new Set(answers.map(({ data }) => data.refreshToken)).size).toBe(1);
  });
});

describe('as time goes by', () => {
  it('an access token serves for an hour, and its refresh token gives the next', async () => {
    const person = await register();
    clock.advance(3_599_000);
    expect(await me(here, person)).toBe(200);
    clock.advance(1_000);
    expect(await me(here, person)).toBe(401);
    const next = await refresh(here, person.refreshToken);
    expect(await me(here, next.data)).toBe(200);
  });

  it('a session lasts seven days after its last refresh', async () => {
    const person = await register();
    clock.advance(6 * DAY);
    const next = await refresh(here, person.refreshToken);
    expect(next.status).toBe(200);
    clock.advance(6 * DAY);
    const third = await refresh(there, next.data.refreshToken);
    expect(third.status).toBe(200);
    clock.advance(7 * DAY);
    expect((await refresh(here, third.data.refreshToken)).status).toBe(401);
  });

  it('a refresh may be repeated for ten seconds; after that the session ends', async () => {
    const patient = await register();
    await refresh(here, patient.refreshToken);
    clock.advance(10_000);
    expect((await refresh(here, patient.refreshToken)).status).toBe(200);
    const late = await register();
    const next = await refresh(here, late.refreshToken);
    clock.advance(10_001);
    expect((await refresh(here, late.refreshToken)).status).toBe(401);
    expect((await refresh(here, next.data.refreshToken)).status).toBe(401);
  });

  it('what has expired is removed', async () => {
    const person = await register();
    clock.advance(8 * DAY);
    await here.carcosa.garbage.collect();
    const { rows } = await database.pool.query(
      'select 1 from sessions where user_id = $1 union all select 1 from refresh_tokens where session_id = $2',
      [person.user.id, person.sessionId],
    );
    expect(rows).toEqual([]);
  });
});

describe('what the database holds', () => {
  it('is of no use to whoever reads it: no token, password or link in clear', async () => {
    const person = await register();
    await ask(here, 'POST', '/auth/forgot-password', undefined, { email: person.email });
    await here.carcosa.accounts.drain();
    const link = here.carcosa.linkMail.pending({ type: 'user', isServerAdmin: true } as never)[0]?.url ?? '';
    const secrets = [person.accessToken, person.refreshToken, PASSWORD, link.split('token=')[1] as string];
    for (const table of ['users', 'sessions', 'accounts', 'refresh_tokens', 'verifications', 'audit_entries']) {
      const { rows } = await database.pool.query<{ text: string }>(`select t::text as text from ${table} t`);
      const text = rows.map((row) => row.text).join('\n');
      for (const secret of secrets) expect(text, table).not.toContain(secret);
    }
  });

  it('the token by which the library knows a session opens nothing at our door', async () => {
    const person = await register();
    const { rows } = await database.pool.query<{ token: string }>('select token from sessions where id = $1', [
      person.sessionId,
    ]);
    const token = rows[0]?.token ?? '';
    expect((await ask(here, 'GET', '/auth/me', token)).status).toBe(401);
    expect((await refresh(here, token)).status).toBe(401);
    const cookie = `better-auth.session_token=${token}`;
    expect((await fetch(`${here.url}/api/v1/auth/me`, { headers: { cookie } })).status).toBe(401);
  });

  it('look-ups of a session use indexes alone', async () => {
    const { rows } = await database.pool.query<{ 'QUERY PLAN': string }>(
      `explain select 1 from sessions s join users u on u.id = s.user_id where s.id = 'ses_x'`,
    );
    expect(rows.map((row) => row['QUERY PLAN']).join('\n')).not.toMatch(/Seq Scan/);
  });
});

it('the library has no door of its own', async () => {
  const paths = ['get-session', 'sign-in/email', 'sign-up/email', 'list-sessions', 'update-user', 'delete-user', 'ok'];
  for (const name of paths) {
    for (const method of ['GET', 'POST']) {
      const { status } = await ask(here, method, `/auth/${name}`, undefined, method === 'POST' ? {} : undefined);
      expect(status, `${method} ${name}`).toBe(404);
    }
  }
});
