import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, expectData, expectRefused } from '../support/api.ts';
import { type Person, register } from '../support/people.ts';
import { serverCommand } from '../support/process.ts';
import { type Radosgw, radosgw } from '../support/radosgw.ts';
import { type Server, startServer } from '../support/server.ts';

interface Bucket {
  id: string;
  name: string;
  accessKeyIdEnd: string | null;
  mayManage: boolean;
  shares: { teamId: string; access: string }[];
}
interface Examination {
  usable: boolean;
  problem: string | null;
  rights: { right: string; status: string; message: string; actions: string[] }[];
}
interface Named {
  id: string;
}

const gateway = await radosgw();

function refusal(answer: Answer<unknown>, status: number, code: string) {
  const body = expectRefused(answer, status);
  expect(body.error).toBe(code);
  return body;
}

describe.skipIf(!gateway)('buckets of an organization', () => {
  let server: Server;
  let owner: Person;
  let member: Person;
  let organizationId: string;
  let teamId: string;
  /** No answer, and no line of the log, may ever have one of these. */
  const secrets: string[] = [];
  const answers: string[] = [];
  beforeAll(async () => {
    server = await startServer({ env: { CARCOSA_LOG_LEVEL: 'trace' } });
    owner = await register(server);
    member = await register(server);
    organizationId = expectData(await owner.call<Named>('POST', '/organizations', { json: { name: 'Acme' } }), 201).id;
    teamId = expectData(await owner.call<Named>('POST', '/teams', { json: { organizationId, name: 'Web' } }), 201).id;
  });
  afterAll(() => server.stop());

  const call = async <Data = Bucket>(
    method: string,
    path: string,
    json?: unknown,
    person: Person = owner,
  ): Promise<Answer<Data>> => {
    const answer = await person.call<Data>(method, path, json === undefined ? {} : { json });
    answers.push(JSON.stringify(answer.body ?? null));
    return answer;
  };
  const marked = () => {
    const credentials = {
      accessKeyId: `AKID${randomBytes(16).toString('hex')}`,
      secretAccessKey: randomBytes(30).toString('base64url'),
    };
    secrets.push(credentials.accessKeyId, credentials.secretAccessKey);
    return credentials;
  };
  const s3Body = async (more: object = {}) => {
    const { endpoint, bucket, credentials: given } = await (gateway as Radosgw).bucket();
    // Without what the client has noted there for itself.
    const credentials = { accessKeyId: given?.accessKeyId, secretAccessKey: given?.secretAccessKey };
    return {
      organizationId,
      name: randomUUID(),
      provider: 's3',
      endpoint,
      bucket,
      credentials,
      region: 'default',
      ...more,
    };
  };
  const create = async (more: object = {}) => expectData(await call('POST', '/buckets', await s3Body(more)), 201);

  it('are added, tested, mended, shared, used by a project, and removed when nothing uses them', async () => {
    const bucket = await create({ prefix: 'from/acme' });
    expect(bucket).toMatchObject({ mayManage: true, shares: [] });
    const before = expectData(
      await call<Examination>('POST', `/buckets/${bucket.id}/test`, { origins: ['https://app.example'] }),
    );
    expect(before).toMatchObject({ usable: true, problem: null });
    expect(before.rights.find(({ right }) => right === 'cors')).toMatchObject({ status: 'missing' });
    const fix = await call('POST', `/buckets/${bucket.id}/fix-cors`, { origins: ['https://app.example'] });
    expect(expectData(fix)).toMatchObject({ fixed: true, right: { status: 'granted' } });
    const project = { teamId, name: 'Shop', bucketId: bucket.id };
    refusal(await call('POST', '/projects', project), 404, 'not_found');
    expectData(await call('POST', `/buckets/${bucket.id}/share`, { teamId, access: 'read-only' }));
    refusal(await call('POST', '/projects', project), 403, 'forbidden');
    expectData(await call('POST', `/buckets/${bucket.id}/share`, { teamId }));
    const { id: projectId } = expectData(await call<Named>('POST', '/projects', project), 201);

    const used = refusal(await call('DELETE', `/buckets/${bucket.id}`), 409, 'bucket_in_use');
    expect(used.details).toMatchObject({ projectCount: 1, projects: [{ id: projectId, name: 'Shop' }] });
    refusal(await call('DELETE', `/buckets/${bucket.id}/share/${teamId}`), 409, 'bucket_in_use');
    const options = {
      query: { projectId, path: 'a.txt' },
      body: 'in the bucket of Acme',
      headers: { 'content-type': 'text/plain' },
    };
    const file = expectData(await owner.call<Named>('POST', '/files', options), 201);
    const other = await create({ shares: [{ teamId, access: 'read-write' }] });
    expectData(await call('PUT', `/projects/${projectId}/buckets/${other.id}`, { default: true }));
    const still = refusal(await call('DELETE', `/buckets/${bucket.id}`), 409, 'bucket_in_use');
    expect(still.details).toMatchObject({ objectCount: 1, projectCount: 1 });
    expect(still.message).toMatch(/1 project.*1 file/);

    // The credentials outlive the process.
    await server.restart();
    const back = await server.request(`/api/v1/files/${file.id}/download`, {
      headers: { authorization: `Bearer ${owner.accessToken}` },
    });
    expect(await back.text()).toBe('in the bucket of Acme');
    const empty = await create();
    expect((await call('DELETE', `/buckets/${empty.id}`)).status).toBe(204);
    refusal(await call('GET', `/buckets/${empty.id}`), 404, 'not_found');
  });

  it('are resealed beside a running server, and open with the new key alone', async () => {
    const bucket = await create();
    const isThere = async () => expectData(await call<Examination>('POST', `/buckets/${bucket.id}/test`)).problem;
    const [k1, k2] = [1, 2].map((number) => `k${number}:${randomBytes(32).toString('base64')}`);
    const reseal = async (keys: string) => {
      const env = { PATH: process.env.PATH, HOME: process.env.HOME, ...server.env, CARCOSA_ENCRYPTION_KEYS: keys };
      const { stdout } = await promisify(execFile)(process.execPath, [...serverCommand(), 'reseal'], { env });
      return stdout;
    };
    await server.restart({ env: { CARCOSA_ENCRYPTION_KEYS: k1 } });
    expect(await isThere()).toBeNull();
    expect(await reseal(`${k1}`)).toMatch(/^[1-9]\d* secrets are now sealed with the key "k1"\.\n$/);
    expect(await isThere()).toBeNull();
    await server.restart({ env: { CARCOSA_ENCRYPTION_KEYS: `${k2},${k1}` } });
    expect(await reseal(`${k2},${k1}`)).toContain('"k2"');
    await server.restart({ env: { CARCOSA_ENCRYPTION_KEYS: k2 } });
    expect(await isThere()).toBeNull();
    await server.restart({ env: { CARCOSA_ENCRYPTION_KEYS: undefined } });
    expect(await isThere()).toMatch(/"k2".*CARCOSA_ENCRYPTION_KEYS/);
    await server.restart({ env: { CARCOSA_ENCRYPTION_KEYS: k2 } });
  });

  it('are nothing to strangers, keys, and whoever is not of the team', async () => {
    const { id } = await create();
    for (const [method, path, json] of [
      ['GET', `/buckets/${id}`],
      ['PATCH', `/buckets/${id}`, { name: 'x' }],
      ['DELETE', `/buckets/${id}`],
      ['POST', `/buckets/${id}/share`, { teamId }],
      ['DELETE', `/buckets/${id}/share/${teamId}`],
      ['POST', `/buckets/${id}/test`, {}],
      ['POST', `/buckets/${id}/fix-cors`, {}],
    ] as const) {
      const known = refusal(await call(method, path, json, member), 404, 'not_found');
      const unknown = await call(method, path.replace(id, `bkt_${'0'.repeat(26)}`), json, member);
      expect(known.message, `${method} ${path}`).toBe(refusal(unknown, 404, 'not_found').message);
    }
    expect(expectData(await call<{ items: unknown[] }>('GET', '/buckets', undefined, member)).items).toEqual([]);
    refusal(await call('POST', '/buckets', await s3Body(), member), 404, 'not_found');
    refusal(await server.api('GET', `/buckets/${id}`), 403, 'forbidden');
    refusal(await server.api('GET', `/buckets/${id}`, { key: null }), 401, 'unauthenticated');
  });

  it('take no more than what they are made of', async () => {
    for (const [wrong, field] of [
      [{ endpoint: 'file:///etc/passwd' }, 'endpoint'],
      [{ endpoint: `https://x:${marked().secretAccessKey}@s3.example` }, 'endpoint'],
      [{ credentials: { ...marked(), sessionToken: 7 } }, 'credentials'],
      [
        { credentials: { accessKeyId: marked().accessKeyId, secretAccessKey: [marked().secretAccessKey] } },
        'credentials.secretAccessKey',
      ],
      [{ provider: 'ftp' }, 'provider'],
      [{ fromEnvironment: true }, ''],
      [{ name: 's3 mine' }, 'name'],
    ] as const) {
      const refused = refusal(
        await call('POST', '/buckets', { ...(await s3Body()), ...wrong }),
        400,
        'invalid_request',
      );
      expect(refused.details).toMatchObject({ fields: [{ field }] });
    }
    const local = { organizationId, name: 'disk', provider: 'local' };
    expect(expectData(await call('POST', '/buckets', local), 201)).toMatchObject({ name: 'disk' });
    refusal(await call('POST', '/buckets', { ...local, root: '/etc' }), 400, 'invalid_request');
  });

  it('keep their credentials from every answer and every line of the log', async () => {
    const bucket = await create({ credentials: marked() });
    const found = expectData(await call<Examination>('POST', `/buckets/${bucket.id}/test`, {}));
    expect(found).toMatchObject({ usable: false, problem: expect.stringContaining('does not know the access key id') });
    expectData(await call('POST', `/buckets/${bucket.id}/share`, { teamId }));
    const project = { teamId, name: 'Refused', bucketId: bucket.id };
    const { id: projectId } = expectData(await call<Named>('POST', '/projects', project), 201);
    const options = { query: { projectId, path: 'a.txt' }, body: 'x', headers: { 'content-type': 'text/plain' } };
    const refused = await owner.call('POST', '/files', options);
    expect(refused.status).toBe(502);
    answers.push(JSON.stringify(refused.body));
    expectData(await call('PATCH', `/buckets/${bucket.id}`, { credentials: marked() }));
    refusal(
      await call('PATCH', `/buckets/${bucket.id}`, { endpoint: 'https://s3.example', credentials: marked(), x: 1 }),
      400,
      'invalid_request',
    );
    const name = (await create()).name;
    refusal(await call('POST', '/buckets', await s3Body({ name, credentials: marked() })), 409, 'conflict');
    const audit = await call<{ items: unknown[] }>('GET', `/audit-logs?organizationId=${organizationId}&limit=1000`);
    expect(JSON.stringify(expectData(audit).items)).toContain('bucket.rotate-credentials');
    expect(server.logs).toContain('storage_misconfigured');
    expect(secrets.length).toBeGreaterThan(8);
    const all = [server.logs, ...answers].join('\n');
    expect(secrets.filter((secret) => all.includes(secret))).toEqual([]);
  });
});
