import { BulkResult, File, FileVersion, Folder, type Permission, page, success } from '@carcosa/contracts';
import { type Database, type Queryable, transaction } from '@carcosa/database';
import {
  Access,
  ApiKeyService,
  FileService,
  IdempotencyService,
  ProjectFactsCache,
  ProvisioningService,
} from '@carcosa/domain';
import { IdGenerator, ManualClock, silentLogger, systemRandom } from '@carcosa/kernel';
import type { InjectOptions } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase } from '../../../../../tests/support/database.ts';
import type { Carcosa } from '../../compose.ts';
import { createApp } from '../app.ts';
import type { App } from '../types.ts';
import { fileRoutes } from './files.ts';

const MISSING = 'file_00000000000000000000000000';

let database: Database;
let app: App;
let projectId: string;
let foreign: string;
let keyWith: (permissions: Permission[]) => Promise<string>;
let full: string;
const clock = new ManualClock(Date.UTC(2026, 5, 1));
const ids = new IdGenerator(clock);

beforeAll(async () => {
  database = await createTestDatabase({ kind: 'embedded' });
  const db: Queryable = database.pool;
  const inTransaction = <Result>(work: (tx: Queryable) => Promise<Result>) => transaction(database.pool, work);
  const apiKeys = new ApiKeyService({ db, clock, random: systemRandom, ids });
  const provisioning = new ProvisioningService({ transaction: inTransaction, ids, clock, apiKeys });
  const defaults = await provisioning.ensureDefaults({ name: 'local', provider: 'local', config: {} }, null);
  projectId = defaults.projectId;
  keyWith = async (permissions) =>
    (await apiKeys.create({ projectId: defaults.projectId, label: 'test', permissions })).token;
  full = await keyWith(['files:read', 'files:write', 'files:delete']);
  const publicUrl = 'http://files.example';
  const access = new Access({ projects: new ProjectFactsCache({ db, clock }) });
  const files = new FileService({
    access,
    db,
    transaction: inTransaction,
    clock,
    ids,
    random: systemRandom,
    publicUrl,
  });
  app = createApp({
    ...{ clock, ids, apiKeys, logger: silentLogger, requestLog: null, version: '0.0.0', publicUrl },
    idempotency: new IdempotencyService({ db }),
    config: { trustedProxies: [] },
  });
  fileRoutes(app, { files, clock } as Partial<Carcosa> as Carcosa);
  await app.ready();
  const other = ids.next('project');
  await db.query(
    `insert into projects (id, organization_id, team_id, bucket_id, name, slug, settings, created_at, updated_at)
     select $1, organization_id, team_id, bucket_id, 'other', 'other', settings, now(), now() from projects where id = $2`,
    [other, projectId],
  );
  foreign = await seed('foreign', other);
});
afterAll(async () => {
  await app.close();
  await database.close();
});

async function seed(path: string, project = projectId): Promise<string> {
  const [id, objectId] = [ids.next('file'), ids.next('object')];
  await database.pool.query(
    `with stored as (
       insert into objects (id, project_id, bucket_id, storage_key, size, content_type, created_at)
       select $2, id, bucket_id, $2, 5, 'text/plain', now() from projects where id = $3
     ), filed as (
       insert into files (id, project_id, key, path, folder, name, visibility, version, object_id, bucket_id, size, content_type, created_at, updated_at)
       select $1, id, $2, $4, '', $4, 'private', 1, $2, bucket_id, 5, 'text/plain', now(), now() from projects where id = $3
     )
     insert into file_versions (file_id, version, object_id, created_at) values ($1, 1, $2, now())`,
    [id, objectId, project, path],
  );
  return id;
}

const call = (key: string | null, method: string, url: string, payload?: object) =>
  app.inject({
    method: method as NonNullable<InjectOptions['method']>,
    url: `/api/v1/files${url}`,
    headers: key === null ? {} : { 'x-api-key': key },
    ...(payload === undefined ? {} : { payload }),
  });

/** Every route about one file: method, address behind the id, body, permission, and the status of success. */
const ROUTES: [string, string, object | undefined, Permission, number][] = [
  ['GET', '', undefined, 'files:read', 200],
  ['GET', '/versions', undefined, 'files:read', 200],
  ['PATCH', '', { tags: ['x'] }, 'files:write', 200],
  ['POST', '/copy', { path: 'copy of it' }, 'files:write', 201],
  ['POST', '/versions/1/restore', undefined, 'files:write', 200],
  ['DELETE', '', undefined, 'files:delete', 200],
  ['POST', '/restore', undefined, 'files:write', 200],
  ['DELETE', '?permanent=true', undefined, 'files:delete', 200],
];

describe('routes of one file', () => {
  it('do what they say for a key with just their permission, and show what the contract has', async () => {
    const id = await seed('one');
    for (const [method, rest, body, permission, status] of ROUTES) {
      const answer = await call(await keyWith([permission]), method, `/${id}${rest}`, body);
      expect(answer.statusCode, `${method} ${rest}: ${answer.body}`).toBe(status);
      const schema = method === 'GET' && rest === '/versions' ? success(page(FileVersion)) : success(File);
      expect(schema.safeParse(answer.json()).success, answer.body).toBe(true);
    }
    expect((await call(full, 'GET', `/${id}`)).statusCode).toBe(404);
  });

  it.each(ROUTES)('%s {id}%s answers strangers', async (method, rest, body, permission) => {
    const id = await seed(`guarded ${method}${rest}`);
    const others = (['files:read', 'files:write', 'files:delete', 'usage:read'] as const).filter(
      (each) => each !== permission,
    );
    expect((await call(null, method, `/${id}${rest}`, body)).statusCode).toBe(401);
    expect((await call(await keyWith([...others]), method, `/${id}${rest}`, body)).json()).toMatchObject({
      status: 403,
      details: { permission },
    });
    const [theirs, none, nonsense] = await Promise.all(
      [foreign, MISSING, 'nonsense'].map(async (each) => {
        const { requestId: _requestId, ...answer } = (await call(full, method, `/${each}${rest}`, body)).json();
        return answer;
      }),
    );
    expect(theirs).toMatchObject({ error: 'not_found', status: 404 });
    expect(theirs, 'a foreign file is like none').toEqual(none);
    expect(nonsense).toEqual(none);
    const { rows } = await database.pool.query('select path, tags, deleted_at, version from files where id = $1', [
      foreign,
    ]);
    expect(rows).toEqual([{ path: 'foreign', tags: [], deleted_at: null, version: 1 }]);
  });
});

describe('routes of many files', () => {
  it('list and folders show what the contract has', async () => {
    await seed('listed');
    const list = await call(full, 'GET', '?limit=1');
    expect(list.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(success(page(File)).parse(list.json()).data.items).toHaveLength(1);
    expect(success(page(Folder)).safeParse((await call(full, 'GET', '/folders')).json()).success).toBe(true);
    for (const at of ['', '/folders']) {
      expect((await call(await keyWith(['files:write']), 'GET', at)).statusCode).toBe(403);
      expect((await call(full, 'GET', `${at}?projectId=prj_00000000000000000000000000`)).statusCode).toBe(404);
    }
  });

  it.each([
    'limit=',
    'limit=1e3',
    'limit=%201',
    'sort=sha256',
    'status=all',
    'cursor=x',
    'q=%00',
    'minSize=-1',
    'type=png',
  ])('refuse ?%s', async (query) => {
    expect((await call(full, 'GET', `?${query}`)).json()).toMatchObject({ error: 'invalid_request', status: 400 });
  });

  it('bulk asks for the permission of its action', async () => {
    const id = await seed('bulk');
    const body = (action: string) => ({ action, items: [{ id }, { id: foreign }, { id: MISSING }] });
    const [writer, deleter, reader] = await Promise.all([
      keyWith(['files:write']),
      keyWith(['files:delete']),
      keyWith(['files:read']),
    ]);
    expect((await call(writer, 'POST', '/bulk', body('delete'))).statusCode).toBe(403);
    expect((await call(deleter, 'POST', '/bulk', body('update'))).statusCode).toBe(403);
    expect((await call(reader, 'POST', '/bulk', body('update'))).statusCode).toBe(403);
    for (const [key, action] of [
      [writer, 'update'],
      [deleter, 'delete'],
      [writer, 'restore'],
      [deleter, 'purge'],
    ] as const) {
      const { results } = success(BulkResult).parse((await call(key, 'POST', '/bulk', body(action))).json()).data;
      expect(results.map(({ ok }) => ok)).toEqual([true, false, false]);
      expect(results[1]?.error, 'a foreign file is like none').toEqual(results[2]?.error);
    }
  });

  it('a copy and a bulk with an Idempotency-Key are made once', async () => {
    const id = await seed('idempotent');
    const once = (url: string, payload: object) =>
      app.inject({
        method: 'POST',
        url: `/api/v1/files${url}`,
        payload,
        headers: { 'x-api-key': full, 'idempotency-key': url },
      });
    const first = await once(`/${id}/copy`, { path: 'made once' });
    const again = await once(`/${id}/copy`, { path: 'made once' });
    expect([first.statusCode, again.statusCode]).toEqual([201, 201]);
    expect(again.json().data).toEqual(first.json().data);
    const body = { action: 'copy', items: [{ id, path: 'made once by bulk' }] };
    expect((await once('/bulk', body)).json().data).toEqual((await once('/bulk', body)).json().data);
  });

  it('mass assignment is refused', async () => {
    const id = await seed('mine');
    for (const field of [
      'projectId',
      'tenantId',
      'key',
      'version',
      'size',
      'sha256',
      'bucketId',
      'uploadedBy',
      'deletedAt',
      'url',
    ]) {
      expect((await call(full, 'PATCH', `/${id}`, { [field]: 'x' })).statusCode, field).toBe(400);
    }
  });
});
