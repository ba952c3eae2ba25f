import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Database } from '@carcosa/database';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase } from '../../../../tests/support/database.ts';
import { startTestNode, type TestNode } from '../testing.ts';
import { ROUTE_ACTIONS } from './refusals.ts';

interface Row {
  action: string;
  actor_id: string | null;
  organization_id: string;
  resource_id: string | null;
  result: string;
  after: Record<string, unknown>;
}

describe('requests that are refused', () => {
  let database: Database;
  let dataDir: string;
  let node: TestNode;
  let key: string;
  let seen = 0;

  beforeAll(async () => {
    database = await createTestDatabase({ kind: 'embedded' });
    dataDir = await mkdtemp(join(tmpdir(), 'carcosa-refusals-'));
    node = await startTestNode({ env: { DATABASE_URL: database.connectionString, CARCOSA_DATA_DIR: dataDir } });
    key = await newKey(['files:read']);
  });
  afterAll(async () => {
    await node.close();
    await database.close();
    await rm(dataDir, { recursive: true, force: true });
  });

  async function newKey(permissions: ('files:read' | 'files:write')[]): Promise<string> {
    const { rows } = await database.pool.query<{ id: never }>('select id from projects');
    const projectId = rows[0]?.id as never;
    return (await node.carcosa.apiKeys.create({ projectId, label: 'x', permissions })).token;
  }
  const call = (method: string, path: string, authorization?: string, body?: object) =>
    fetch(`${node.url}${path}`, {
      method,
      headers: {
        ...(authorization === undefined ? {} : { authorization: `Bearer ${authorization}` }),
        ...(body && { 'content-type': 'application/json' }),
      },
      ...(body && { body: JSON.stringify(body) }),
    });
  async function news(): Promise<Row[]> {
    await node.carcosa.refusals.write({ all: true });
    const { rows } = await database.pool.query<Row & { id: number }>(
      `select * from audit_entries where id > $1 and result <> 'success' order by id`,
      [seen],
    );
    seen = rows.at(-1)?.id ?? seen;
    return rows;
  }

  it('are recorded with the action that was attempted', async () => {
    const id = 'file_00000000000000000000000000';
    expect((await call('DELETE', `/api/v1/files/${id}`, key)).status).toBe(403);
    expect(await news()).toMatchObject([
      {
        ...{ action: 'file.trash', result: 'forbidden', resource_id: id, actor_id: expect.stringMatching(/^key_/) },
        organization_id: expect.stringMatching(/^org_/),
        after: { method: 'DELETE', route: '/api/v1/files/:id' },
      },
    ]);
    expect((await call('GET', '/api/v1/files')).status).toBe(401);
    expect(await news()).toMatchObject([
      { action: 'request.refuse', result: 'unauthenticated', actor_id: null, organization_id: '' },
    ]);
    expect((await call('POST', '/api/v1/api-keys', key, {})).status).toBe(403);
    expect(await news()).toMatchObject([{ action: 'api-key.create', result: 'forbidden' }]);
  });

  it('are told to the owner of a key whose secret was guessed, without what was guessed', async () => {
    const guess = 'x'.repeat(43);
    const wrong = `${key.slice(0, key.lastIndexOf('_'))}_${guess}`;
    expect((await call('GET', '/api/v1/files', wrong)).status).toBe(401);
    const rows = await news();
    expect(rows).toMatchObject([
      { result: 'unauthenticated', actor_id: null, resource_id: expect.stringMatching(/^key_/) },
    ]);
    expect(rows[0]?.organization_id).toMatch(/^org_/);
    expect(JSON.stringify(rows)).not.toContain(guess);
  });

  it('are recorded of log-ins, with the account and without the password', async () => {
    const body = { email: 'nobody@example.com', password: 'correct horse battery' };
    expect((await call('POST', '/api/v1/auth/login', undefined, body)).status).toBe(401);
    const rows = await news();
    expect(rows).toMatchObject([{ action: 'session.login', after: { account: 'nobody@example.com' } }]);
    expect(JSON.stringify(rows)).not.toContain('horse');
  });

  it('are not recorded where nobody was refused: what is not there, what is of the wrong form', async () => {
    for (const path of [
      '/api/v1/files/file_00000000000000000000000000',
      '/api/v1/files/x',
      '/f/none',
      '/nothing',
      '/api/v1/files?limit=0',
    ])
      expect((await call('GET', path, key)).status, path).toBeGreaterThanOrEqual(400);
    expect(await news()).toEqual([]);
  });

  it('ask the database nothing while somebody waits, and reads that succeed write nothing', async () => {
    const { pool } = node.carcosa.database;
    const texts: string[] = [];
    const original = pool.query;
    const watch = (...args: unknown[]) => {
      const [query] = args as [string | { text: string }];
      texts.push(typeof query === 'string' ? query : query.text);
      return Reflect.apply(original, pool, args);
    };
    await call('GET', '/api/v1/files', key);
    await news();
    Object.assign(pool, { query: watch });
    try {
      expect((await call('GET', '/api/v1/files', key)).status).toBe(200);
      const read = texts.splice(0).filter((text) => !text.includes('carcosa_jobs'));
      expect(read, 'the list itself').toHaveLength(1);
      expect((await call('DELETE', '/api/v1/files/x', key)).status).toBe(403);
    } finally {
      Object.assign(pool, { query: original });
    }
    expect(texts).toEqual([]);
    expect(await news()).toHaveLength(1);
  });

  it('have actions of routes that there are', async () => {
    const document = (await (await call('GET', '/api/v1/openapi.json')).json()) as {
      paths: Record<string, Record<string, unknown>>;
    };
    const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}`),
    );
    // The document has one of GET and HEAD.
    const documented = Object.keys(ROUTE_ACTIONS).filter((route) => !route.startsWith('HEAD /f/'));
    expect(routes).toEqual(expect.arrayContaining(documented));
  });
});
