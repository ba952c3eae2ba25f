import { CreateBucketBody, UpdateBucketBody } from '@carcosa/contracts';
import { transaction } from '@carcosa/database';
import { type Actor, SYSTEM, TeamBuckets } from '@carcosa/domain';
import { IdGenerator, isCarcosaError } from '@carcosa/kernel';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { apiKeyActor } from '../../support/actors.ts';
import { databaseKinds } from '../../support/database.ts';
import { BucketWorld } from './support.ts';

const teamBuckets = new TeamBuckets();

describe.each(databaseKinds())('buckets on %s', (kind) => {
  let world: BucketWorld;
  beforeAll(async () => {
    world = await BucketWorld.open({ kind });
  });
  afterAll(() => world.close());
  const buckets = () => world.carcosa.buckets;
  const sharing = () => world.carcosa.bucketSharing;
  const place = () => ({ organizationId: world.organizationId, teamId: world.teamId });
  const run = <Result>(work: Parameters<typeof transaction<Result>>[1]) => transaction(world.database.pool, work);

  it('are made by owners and admins of the organization alone', async () => {
    for (const role of ['owner', 'admin'] as const)
      await expect(buckets().create(world.user(role), world.s3Bucket())).resolves.toMatchObject({ mayManage: true });
    const refused: [Actor, string][] = [
      [world.user('member', 'owner'), 'forbidden'],
      [world.user('viewer'), 'forbidden'],
      [world.foreigner(), 'not_found'],
      [apiKeyActor(new IdGenerator(), world.ids.next('project'), ['admin']), 'not_found'],
    ];
    for (const [actor, code] of refused)
      await expect(buckets().create(actor, world.s3Bucket())).rejects.toMatchObject({ code });
  });

  it('on the disk are made by those who run the server, in an organization that they run too', async () => {
    const local = (name: string) => ({
      provider: 'local' as const,
      organizationId: world.organizationId,
      name,
      shares: [],
    });
    const made = await buckets().create(world.user('admin', undefined, { isServerAdmin: true }), local('disk'));
    expect(made).toMatchObject({ provider: 'local', place: null, accessKeyIdEnd: null });
    await expect(buckets().create(world.user('owner'), local('x'))).rejects.toMatchObject({ code: 'forbidden' });
    const stranger = world.user(null, undefined, { isServerAdmin: true });
    await expect(buckets().create(stranger, local('x'))).rejects.toMatchObject({ code: 'not_found' });
    const { rights } = await world.carcosa.bucketExaminer.examine(world.user('owner'), made.id, {});
    const fix = world.carcosa.bucketExaminer.fixCors(world.user('owner'), made.id, {});
    await expect(fix).rejects.toMatchObject({ code: 'conflict' });
    const untended = world.carcosa.bucketExaminer.examine(world.user('member', 'owner'), made.id, {});
    await expect(untended).rejects.toMatchObject({ code: 'not_found' });
    expect(rights.map(({ status }) => status)).toEqual([...Array(4).fill('granted'), ...Array(3).fill('not-needed')]);
  });

  it('never give their credentials back, and tell keys apart by their ends', async () => {
    const made = await buckets().create(world.user('owner'), world.s3Bucket());
    expect(made.accessKeyIdEnd).toBe('2345');
    expect(JSON.stringify(made)).not.toMatch(/not-a-secret|AKIA/);
    const { rows } = await world.database.pool.query("select *, encode(credentials, 'escape') from buckets");
    expect(JSON.stringify(rows)).not.toMatch(/not-a-secret|AKIA/);
  });

  it('have one name in their organization', async () => {
    const body = world.s3Bucket();
    await buckets().create(world.user('owner'), body);
    const again = buckets().create(world.user('owner'), body);
    await expect(again).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining('name') });
  });

  it('fill in what suits the provider of the endpoint', async () => {
    const placeAt = async (endpoint: string | undefined, more: object = {}) => {
      const body = CreateBucketBody.parse({ ...world.s3Bucket(), endpoint, ...more });
      return (await buckets().create(world.user('owner'), body)).place;
    };
    expect(await placeAt(undefined)).toMatchObject({ endpoint: null, region: 'us-east-1', pathStyle: false });
    expect(await placeAt('https://s3.eu-central-1.amazonaws.com/')).toMatchObject({
      region: 'eu-central-1',
      pathStyle: false,
    });
    expect(await placeAt('https://abc.r2.cloudflarestorage.com')).toMatchObject({ region: 'auto', pathStyle: true });
    expect(await placeAt('https://storage.googleapis.com')).toMatchObject({ region: 'auto', pathStyle: true });
    expect(await placeAt('http://minio.local:9000')).toMatchObject({ region: 'us-east-1', pathStyle: true });
    expect(await placeAt('http://ceph.local', { region: 'default', pathStyle: false })).toMatchObject({
      ...{ region: 'default', pathStyle: false },
    });
  });

  it.each([
    { endpoint: 'ftp://s3.example.com' },
    { endpoint: 'https://user:word@s3.example.com' },
    { endpoint: 'https://s3.example.com/?x=1' },
    { region: 'x@evil.example/' },
    { bucket: 'arn:aws:s3:::x' },
    { bucket: '../x' },
    { prefix: 'a/../b' },
    { name: 'local' },
    { name: 's3 aws/x' },
    { fromEnvironment: true },
    { id: 'bkt_x' },
    { credentials: { accessKeyId: 'x', secretAccessKey: 'a\nb' } },
    { credentials: undefined },
  ])('refuse %o', (wrong) => {
    const given = CreateBucketBody.safeParse({ ...world.s3Bucket(), ...wrong });
    expect(given.success).toBe(false);
    expect(JSON.stringify(given.error)).not.toContain('word@');
  });

  it('are changed by those who tend them, and moved only by those who manage them, with the credentials again', async () => {
    expect(UpdateBucketBody.safeParse({ endpoint: 'https://evil.example' }).success).toBe(false);
    expect(UpdateBucketBody.safeParse({ bucket: 'other' }).success).toBe(false);
    const credentials = { accessKeyId: 'AKIAOTHERKEY9999', secretAccessKey: 'another-word' };
    const { id } = await buckets().create(world.user('owner'), world.s3Bucket());
    const share = (access: 'admin' | 'read-write') =>
      sharing().share(world.user('owner'), id, { teamId: world.teamId, access });
    const teamAdmin = world.user('member', 'admin');
    const move = { endpoint: 'https://other.example', credentials };
    await expect(buckets().update(teamAdmin, id, { name: 'x' })).rejects.toMatchObject({ code: 'not_found' });
    await share('read-write');
    await expect(buckets().update(teamAdmin, id, { name: 'x' })).rejects.toMatchObject({ code: 'forbidden' });
    await share('admin');
    expect(await buckets().update(teamAdmin, id, { name: 'tended', credentials })).toMatchObject({
      ...{ name: 'tended', accessKeyIdEnd: '9999', mayManage: false },
    });
    await expect(buckets().update(teamAdmin, id, move)).rejects.toMatchObject({ code: 'forbidden' });
    await expect(buckets().remove(teamAdmin, id)).rejects.toMatchObject({ code: 'forbidden' });
    await expect(buckets().update(world.user('member', 'member'), id, { name: 'y' })).rejects.toMatchObject({
      code: 'forbidden',
    });
    const moved = await buckets().update(world.user('admin'), id, move);
    expect(moved.place).toMatchObject({ endpoint: 'https://other.example', bucket: 'media' });
  });

  it('of the environment are changed and removed by nobody', async () => {
    const { rows } = await world.database.pool.query<{ id: string }>('select id from buckets where from_environment');
    const id = rows[0]?.id ?? '';
    expect(await buckets().get(SYSTEM, id)).toMatchObject({ name: 'local', fromEnvironment: true });
    await expect(buckets().update(SYSTEM, id, { name: 'x' })).rejects.toMatchObject({ code: 'conflict' });
    await expect(buckets().remove(SYSTEM, id)).rejects.toMatchObject({ code: 'conflict' });
  });

  it('are listed for those who may know of them, page by page', async () => {
    const own = await BucketWorld.open({ kind });
    try {
      const made = [];
      for (let count = 0; count < 5; count++)
        made.push(await own.carcosa.buckets.create(own.user('owner'), own.s3Bucket()));
      const shared = made[2]?.id ?? '';
      await own.carcosa.bucketSharing.share(own.user('owner'), shared, { teamId: own.teamId, access: 'read-only' });
      const seen = async (actor: Actor) =>
        (await own.carcosa.buckets.list(actor, { limit: 50 })).items.map(({ id }) => id);
      const all = made.map(({ id }) => id);
      expect(await seen(own.user('admin'))).toEqual(all);
      expect(await seen(own.user('member', 'viewer'))).toEqual([shared]);
      expect(await seen(own.user('member'))).toEqual([]);
      // Somebody who left the organization is in none of its teams.
      expect(await seen(own.user(null, 'owner'))).toEqual([]);
      expect(await seen(own.foreigner())).toEqual([]);
      expect(await seen(apiKeyActor(own.ids, own.ids.next('project'), ['admin']))).toEqual([]);
      const pages = [];
      for (let cursor: string | undefined, more = true; more; ) {
        const page = await own.carcosa.buckets.list(own.user('owner'), { limit: 2, ...(cursor ? { cursor } : {}) });
        pages.push(page.items.length);
        cursor = page.nextCursor ?? undefined;
        more = page.hasMore;
      }
      expect(pages).toEqual([2, 2, 1]);
      const shares = await own.carcosa.buckets.get(own.user('member', 'viewer'), shared);
      expect(shares.shares).toMatchObject([{ teamId: own.teamId, access: 'read-only' }]);
    } finally {
      await own.close();
    }
  });

  it('are shared with teams of their organization alone', async () => {
    const { id } = await buckets().create(world.user('owner'), world.s3Bucket());
    const share = (teamId: string, actor: Actor = world.user('owner')) =>
      sharing().share(actor, id, { teamId, access: 'read-write' });
    for (const teamId of [world.foreignTeamId, world.ids.next('team'), 'nonsense'])
      await expect(share(teamId)).rejects.toMatchObject({ code: 'not_found' });
    await expect(share(world.teamId, world.user('member', 'owner'))).rejects.toMatchObject({ code: 'not_found' });
    await expect(share(world.teamId, world.foreigner())).rejects.toMatchObject({ code: 'not_found' });
    expect((await share(world.teamId)).shares).toMatchObject([{ teamId: world.teamId, access: 'read-write' }]);
    const body = world.s3Bucket({ shares: [{ teamId: world.foreignTeamId, access: 'read-only' }] });
    await expect(buckets().create(world.user('owner'), body)).rejects.toMatchObject({ code: 'not_found' });
    expect((await sharing().unshare(world.user('owner'), id, world.teamId)).shares).toEqual([]);
    await expect(sharing().unshare(world.user('owner'), id, world.teamId)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('are for projects of a team that may write to them', async () => {
    const may = (bucketId: string, of = place()) =>
      run((tx) => teamBuckets.assertWritable(tx, of, bucketId)).then(
        () => 'yes',
        (error: unknown) => (isCarcosaError(error) ? error.code : error),
      );
    const { id } = await buckets().create(world.user('owner'), world.s3Bucket());
    expect(await may(id)).toBe('not_found');
    expect(await may('nonsense')).toBe('not_found');
    const share = (access: 'admin' | 'read-write' | 'read-only') =>
      sharing().share(world.user('owner'), id, { teamId: world.teamId, access });
    await share('read-only');
    expect(await may(id)).toBe('forbidden');
    for (const access of ['read-write', 'admin'] as const) {
      await share(access);
      expect(await may(id)).toBe('yes');
    }
    expect(await may(id, { organizationId: world.foreignOrganizationId, teamId: world.foreignTeamId })).toBe(
      'not_found',
    );
    const first = await run((tx) => teamBuckets.firstWritable(tx, place()));
    expect(first && (await may(first))).toBe('yes');
    const none = { organizationId: world.foreignOrganizationId, teamId: world.foreignTeamId };
    expect(await run((tx) => teamBuckets.firstWritable(tx, none))).toBeNull();
  });

  it('in use are neither removed nor taken from who uses them, and it is said by what', async () => {
    const owner = world.user('owner');
    const { id } = await buckets().create(
      owner,
      world.s3Bucket({ shares: [{ teamId: world.teamId, access: 'read-write' }] }),
    );
    const projectId = await world.addProject(id);
    const refused = { code: 'bucket_in_use' };
    await expect(buckets().remove(owner, id)).rejects.toMatchObject({
      ...refused,
      message: expect.stringContaining('1 project uses it'),
      details: { projects: [{ id: projectId }], projectCount: 1, objectCount: 0, tenantCount: 0, uploadCount: 0 },
    });
    await expect(sharing().unshare(owner, id, world.teamId)).rejects.toMatchObject({
      ...refused,
      details: { projects: [{ id: projectId }] },
    });
    await expect(sharing().share(owner, id, { teamId: world.teamId, access: 'read-only' })).rejects.toMatchObject(
      refused,
    );
    const { pool } = world.database;
    const other = await buckets().create(owner, world.s3Bucket());
    await pool.query('update projects set bucket_id = $2 where id = $1', [projectId, other.id]);
    const uses: [string, string, unknown[]][] = [
      [
        'tenantCount',
        `insert into tenants (id, project_id, external_id, name, bucket_id, created_at, updated_at) values ($3, $1, 'x', 'x', $2, now(), now())`,
        [world.ids.next('tenant')],
      ],
      [
        'objectCount',
        `insert into objects (id, project_id, bucket_id, storage_key, size, content_type, created_at) values ($3, $1, $2, 'k', 1, 'a/b', now())`,
        [world.ids.next('object')],
      ],
      [
        'leavingCount',
        `insert into object_deletions (id, bucket_id, storage_key, size, due_at) select $3, $2, $1, 1, now()`,
        [world.ids.next('object')],
      ],
      [
        'projectCount',
        `insert into project_buckets (project_id, bucket_id, created_at) select $1, $2, now() where $3 <> ''`,
        ['x'],
      ],
      [
        'uploadCount',
        `insert into uploads (id, project_id, bucket_id, door, status, path, object_id, storage_key, created_at, expires_at) values ($3, $1, $2, 'simple', 'open', 'p', 'o', 'k', now(), now())`,
        [world.ids.next('upload')],
      ],
    ];
    for (const [what, insert, more] of uses) {
      await pool.query(insert, [projectId, id, ...more]);
      await expect(buckets().remove(owner, id), what).rejects.toMatchObject({ ...refused, details: { [what]: 1 } });
      const table = /into (\w+)/.exec(insert)?.[1];
      if (table === 'uploads') await pool.query(`update uploads set status = 'aborted'`);
      else await pool.query(`delete from ${table} where bucket_id = $1`, [id]);
    }
    await buckets().remove(owner, id);
    await expect(buckets().get(owner, id)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('are removed, or begun to be used, but never both', async () => {
    const owner = world.user('owner');
    for (let round = 0; round < 10; round++) {
      const { id } = await buckets().create(
        owner,
        world.s3Bucket({ shares: [{ teamId: world.teamId, access: 'read-write' }] }),
      );
      const use = run(async (tx) => {
        await teamBuckets.assertWritable(tx, place(), id);
        await tx.query(
          `insert into projects (id, organization_id, team_id, bucket_id, name, slug, settings, created_at, updated_at)
           values ($1, $2, $3, $4, 'x', $5, '{}', now(), now())`,
          [world.ids.next('project'), world.organizationId, world.teamId, id, `race-${id}`],
        );
      });
      const end = round % 2 ? buckets().remove(owner, id) : sharing().unshare(owner, id, world.teamId);
      const [used, ended] = await Promise.allSettled([use, end]);
      expect([used.status, ended.status].sort()).toEqual(['fulfilled', 'rejected']);
      const reasons = [used, ended].flatMap((result) => (result.status === 'rejected' ? [result.reason.code] : []));
      expect(['not_found', 'bucket_in_use']).toContain(reasons[0]);
    }
  });

  it('of a project are one for new files and any beside it', async () => {
    const owner = world.user('owner');
    const create = (access?: 'read-only' | 'read-write') =>
      buckets().create(owner, world.s3Bucket({ shares: access ? [{ teamId: world.teamId, access }] : [] }));
    const [first, second, readable, secret] = [
      await create('read-write'),
      await create('read-write'),
      await create('read-only'),
      await create(),
    ];
    const projectId = await world.addProject(first.id);
    const { projectBuckets } = world.carcosa;
    const key = apiKeyActor(world.ids, projectId, ['projects:read', 'projects:write']);
    const add = (id: string, isDefault: boolean, actor: Actor = key) =>
      projectBuckets.add(actor, projectId, id, { default: isDefault });
    await expect(add(secret.id, false)).rejects.toMatchObject({ code: 'not_found' });
    await expect(add(readable.id, true)).rejects.toMatchObject({ code: 'forbidden' });
    await expect(add(second.id, true, world.user('member', 'member'))).rejects.toMatchObject({ code: 'forbidden' });
    await expect(add(second.id, true, world.foreigner())).rejects.toMatchObject({ code: 'not_found' });
    await add(readable.id, false);
    const now = await add(second.id, true);
    expect(now.map(({ bucketId, default: isDefault }) => [bucketId, isDefault])).toEqual([
      [second.id, true],
      [first.id, false],
      [readable.id, false],
    ]);
    expect((await world.carcosa.projectFacts.facts(projectId)).bucketId).toBe(second.id);
    await expect(projectBuckets.remove(key, projectId, second.id)).rejects.toMatchObject({ code: 'bucket_in_use' });
    const insert = `insert into objects (id, project_id, bucket_id, storage_key, size, content_type, created_at) values ($1, $2, $3, 'k', 1, 'a/b', now())`;
    await world.database.pool.query(insert, [world.ids.next('object'), projectId, first.id]);
    await expect(projectBuckets.remove(key, projectId, first.id)).rejects.toMatchObject({ code: 'bucket_in_use' });
    expect(await projectBuckets.remove(key, projectId, readable.id)).toHaveLength(2);
    expect(await projectBuckets.list(world.user('member', 'viewer'), projectId)).toHaveLength(2);
    await expect(projectBuckets.list(world.foreigner(), projectId)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('leave an entry in the audit log for each change', async () => {
    const owner = world.user('owner');
    const { id } = await buckets().create(owner, world.s3Bucket());
    await sharing().share(owner, id, { teamId: world.teamId, access: 'read-only' });
    await sharing().unshare(owner, id, world.teamId);
    await buckets().update(owner, id, {
      name: 'renamed',
      credentials: { accessKeyId: 'AKIAOTHERKEY9999', secretAccessKey: 'w' },
    });
    await buckets().remove(owner, id);
    const { rows } = await world.database.pool.query(
      `select action, actor_id as "actorId", organization_id as "organizationId" from audit_entries where resource_id = $1 order by id`,
      [id],
    );
    const actions = ['create', 'share', 'unshare', 'update', 'rotate-credentials', 'delete'];
    expect(rows).toEqual(
      actions.map((action) => ({
        action: `bucket.${action}`,
        actorId: owner.id,
        organizationId: world.organizationId,
      })),
    );
  });
});
