import { afterAll, beforeAll, expect, it } from 'vitest';
import { type CallOptions, expectData } from '../../support/api.ts';
import { newEmail, PASSWORD, type Person, register } from '../../support/people.ts';
import { type Server, startServer } from '../../support/server.ts';
import { type Estate, join, liftLimits, makeEstate } from './estate.ts';

interface Entry {
  requestId: string | null;
  action: string;
  result: string;
}

/** Routes that change nothing which anybody else could see, or that have suites of their own. Each with its reason. */
const SILENT: Record<string, string> = {
  'POST /access/explain': 'reads',
  'POST /tokens/validate': 'reads',
  'POST /invitations/preview': 'reads',
  'POST /uploads/collect': 'removes what nothing refers to',
  'POST /uploads/init': 'opens an upload: its end is recorded',
  'POST /uploads/{id}/parts': 'signs addresses of an upload that is open',
  'PUT /uploads/{id}/parts/{partNumber}': 'adds bytes to an upload: its end is recorded',
  'POST /buckets/{id}/fix-cors': 'asks a provider: tried with a real one in buckets.test.ts',
  'DELETE /transform/jobs/{id}': 'only one that has not ended: tried in media/jobs.test.ts',
  'POST /jobs/{id}/retry': 'tried with jobs that failed by the suite of the queue',
  'POST /jobs/{id}/cancel': 'tried with jobs that wait by the suite of the queue',
  'POST /tus': 'opens an upload: its end is recorded',
  'POST /tus/{id}': 'another spelling of PATCH',
};
/** Second factors, passkeys and links are tried, with what they record, by the suites of people. */
const OF_PEOPLE =
  /^(POST|PATCH|DELETE) \/auth\/(login\/two-factor|passkeys|two-factor|sessions|refresh|reset-password|send-verification|verify-email|forgot-password|change-email|confirm-email|delete-account)/;

let server: Server;
let admin: Person;
let estate: Estate;
let routes: string[];
let sent = 0;
/** The id of the request that each route was tried with. */
const tried = new Map<string, string>();

beforeAll(async () => {
  server = await startServer();
  admin = await register(server);
  await liftLimits(admin);
  estate = await makeEstate(server, 'Recorded');
  const document = (await (await server.request('/api/v1/openapi.json')).json()) as { paths: Record<string, object> };
  routes = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.keys(item)
      .map((verb) => `${verb.toUpperCase()} ${path.replace('/api/v1', '')}`)
      .filter((route) => !/^(GET|HEAD|OPTIONS) /.test(route)),
  );
}, 60_000);
afterAll(() => server.stop());

/** Calls a route so that it succeeds, and remembers the request. */
async function change<Data = { id: string }>(
  route: string,
  key: string | null,
  ids: readonly string[],
  options: CallOptions = {},
): Promise<Data> {
  const [method = '', template = ''] = route.split(' ');
  const left = [...ids];
  const path = template.replace(/\{\w+\}/g, () => left.shift() ?? '');
  sent += 1;
  const requestId = `change-${String(sent).padStart(6, '0')}`;
  const headers = { ...options.headers, 'x-request-id': requestId };
  const answer = await server.api<Data>(method, path, { ...options, key, headers });
  expect(answer.status, `${route}: ${JSON.stringify(answer.body)}`).toBeLessThan(300);
  tried.set(route, requestId);
  return answer.status === 204 || answer.body === undefined ? (undefined as Data) : answer.data;
}

it('is recorded, whichever route makes it', async () => {
  const { ids, key, member } = estate;
  const owner = estate.owner.accessToken;
  const boss = admin.accessToken;
  const json = (value: object): CallOptions => ({ json: value });

  const organization = await change('POST /organizations', owner, [], json({ name: 'Second' }));
  await change('PATCH /organizations/{id}', owner, [organization.id], json({ name: 'Renamed' }));
  const invitation = await change(
    'POST /organizations/{id}/invitations',
    owner,
    [ids.organization],
    json({ email: newEmail() }),
  );
  const again = await change<{ link: string }>('POST /invitations/{id}/resend', owner, [invitation.id]);
  await change('POST /invitations/decline', null, [], json({ token: new URL(again.link).hash.slice(7) }));
  await change('DELETE /invitations/{id}', owner, [ids.invitation]);
  const guest = await register(server);
  const invited = await change<{ link: string }>(
    'POST /organizations/{id}/invitations',
    owner,
    [ids.organization],
    json({ email: guest.email }),
  );
  await change('POST /invitations/accept', guest.accessToken, [], json({ token: new URL(invited.link).hash.slice(7) }));
  await change(
    'PATCH /organizations/{id}/members/{userId}',
    owner,
    [ids.organization, guest.user.id],
    json({ role: 'viewer' }),
  );
  await change('DELETE /organizations/{id}/members/{userId}', owner, [ids.organization, guest.user.id]);
  const heir = await join(server, estate.owner, organization.id, 'admin');
  await change('POST /organizations/{id}/transfer', owner, [organization.id], json({ userId: heir.user.id }));
  await change('DELETE /organizations/{id}', heir.accessToken, [organization.id]);
  await change('PUT /organizations/{id}/quotas', boss, [ids.organization], json({ quotas: { files: 1000 } }));
  await change('PUT /organizations/{id}/prices', boss, [ids.organization], json({ prices: {} }));
  await change('PUT /organizations/{id}/billing', boss, [ids.organization], json({ customerId: 'cus_1' }));
  await change('PUT /prices', boss, [], json({ prices: {} }));
  await change('PUT /plans/{name}', boss, ['trial'], json({ quotas: { files: 5 } }));
  await change('DELETE /plans/{name}', boss, ['trial']);

  const team = await change('POST /teams', owner, [], json({ organizationId: ids.organization, name: 'Second' }));
  await change('PATCH /teams/{id}', owner, [team.id], json({ name: 'Renamed' }));
  await change('PUT /teams/{id}/members/{userId}', owner, [team.id, member.user.id], json({ role: 'admin' }));
  await change('DELETE /teams/{id}/members/{userId}', owner, [team.id, member.user.id]);

  const bucket = await change(
    'POST /buckets',
    boss,
    [],
    json({ organizationId: await ownOrganization(), name: 'Second', provider: 'local' }),
  );
  await change('PATCH /buckets/{id}', boss, [bucket.id], json({ name: 'Renamed' }));
  await change('POST /buckets/{id}/test', boss, [bucket.id], json({}));
  const bossTeam = await firstTeam(admin);
  await change('POST /buckets/{id}/share', boss, [bucket.id], json({ teamId: bossTeam, access: 'read-write' }));
  const bossProject = await change(
    'POST /projects',
    boss,
    [],
    json({ teamId: bossTeam, name: 'With buckets', bucketId: await defaultBucket() }),
  );
  await change('PUT /projects/{id}/buckets/{bucketId}', boss, [bossProject.id, bucket.id], json({}));
  await change('DELETE /projects/{id}/buckets/{bucketId}', boss, [bossProject.id, bucket.id]);
  await change('DELETE /buckets/{id}/share/{teamId}', boss, [bucket.id, bossTeam]);
  await change('DELETE /buckets/{id}', boss, [bucket.id]);

  const project = await change('POST /projects', owner, [], json({ teamId: team.id, name: 'Second' }));
  await change('PATCH /projects/{id}', owner, [project.id], json({ settings: { trashRetentionDays: 1 } }));
  await change('POST /projects/{id}/rotate-signing-key', owner, [project.id]);
  await change('PUT /projects/{id}/quotas', owner, [project.id], json({ quotas: { files: 100 } }));
  await change('PUT /rate-limits/projects/{id}', boss, [ids.project], json({ read: null }));
  await change('PATCH /rate-limits', boss, [], json({ read: null }));
  await change('DELETE /rate-limits/callers/{caller}', boss, [ids['api-key']]);

  const tenant = await change('POST /tenants', key, [], json({ name: 'Second' }));
  await change('PATCH /tenants/{id}', key, [tenant.id], json({ name: 'Renamed' }));
  await change('PUT /tenants/{id}/quotas', key, [tenant.id], json({ quotas: { files: 10 } }));
  await change('POST /tenants/{id}/tokens', key, [tenant.id], json({}));
  await change('DELETE /tenants/{id}', key, [tenant.id]);

  const made = await change(
    'POST /api-keys',
    owner,
    [],
    json({ projectId: project.id, name: 'x', permissions: ['files:read'] }),
  );
  await change('PATCH /api-keys/{id}', owner, [made.id], json({ name: 'y' }));
  const rotated = await change('POST /api-keys/{id}/rotate', owner, [made.id], json({}));
  await change('DELETE /api-keys/{id}', owner, [rotated.id]);

  const picture = await change('POST /files', key, [], {
    query: { path: 'x/1.png' },
    body: Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
  });
  const steps = [{ type: 'image', transform: 'w_10' }];
  await change('POST /transform/jobs', key, [], json({ fileId: picture.id, steps }));
  const file = await change('POST /files', key, [], { query: { path: 'x/1.txt' }, body: 'one' });
  await change('POST /files', key, [], { query: { path: 'x/1.txt' }, body: 'two' });
  await change('PATCH /files/{id}', key, [file.id], json({ tags: ['a'] }));
  await change('POST /files/{id}/copy', key, [file.id], json({ path: 'x/2.txt' }));
  await change('POST /files/{id}/versions/{version}/restore', key, [file.id, '1'], json({}));
  await change('POST /files/{id}/signed-url', key, [file.id], json({}));
  await change('POST /files/{id}/purge-transforms', key, [file.id]);
  await change('POST /projects/{id}/purge-transforms', key, [ids.project]);
  await change('POST /transform/sign', key, [], json({ path: 'x/1.txt', steps: 'w_9' }));
  const preset = await change('POST /transform-presets', key, [], json({ name: 'small', steps: 'w_9' }));
  await change('PATCH /transform-presets/{id}', key, [preset.id], json({ steps: 'w_8' }));
  await change('DELETE /transform-presets/{id}', key, [preset.id]);
  await change('DELETE /files/{id}', key, [file.id]);
  await change('POST /files/{id}/restore', key, [file.id], json({}));
  await change('POST /files/bulk', key, [], json({ action: 'delete', items: [{ id: file.id }] }));

  await change('DELETE /uploads/{id}', key, [ids.upload]);
  const init = await server.api<{ uploadId: string; url: string; headers: Record<string, string> }>(
    'POST',
    '/uploads/init',
    {
      ...json({ fileName: 'd', size: 4 }),
      key,
    },
  );
  const { uploadId, url, headers } = expectData(init, 201);
  expect((await fetch(url, { method: 'PUT', headers, body: 'four' })).status).toBe(200);
  await change('POST /uploads/{id}/complete', key, [uploadId], json({}));
  await change('PATCH /tus/{id}', key, [await tusUpload()], {
    headers: { 'tus-resumable': '1.0.0', 'upload-offset': '0', 'content-type': 'application/offset+octet-stream' },
    body: 'four',
  });
  await change('DELETE /tus/{id}', key, [await tusUpload()], { headers: { 'tus-resumable': '1.0.0' } });

  const hook = await change(
    'POST /webhooks',
    key,
    [],
    json({ url: 'https://receiver.invalid/hook', events: ['webhook.*'] }),
  );
  await change('PATCH /webhooks/{id}', key, [hook.id], json({ description: 'Renamed' }));
  await change('POST /webhooks/{id}/rotate-secret', key, [hook.id], json({}));
  const delivery = await change<{ id: string; eventId: string }>('POST /webhooks/{id}/test', key, [hook.id]);
  await change('POST /webhooks/{id}/deliveries/{deliveryId}/replay', key, [hook.id, delivery.id]);
  await change('POST /webhooks/{id}/replay', key, [hook.id], json({ from: '2026-01-01T00:00:00.000Z' }));
  await change('POST /events/{id}/replay', key, [delivery.eventId], json({ webhookId: hook.id }));
  await change('DELETE /webhooks/{id}', key, [hook.id]);

  await change('POST /callbacks/{id}/replay', key, [ids.callback]);
  const alarm = await change('POST /alarms', owner, [], json({ organizationId: ids.organization, kind: 'webhook' }));
  await change('PATCH /alarms/{id}', owner, [alarm.id], json({ threshold: 7 }));
  await change('POST /alarms/{id}/test', owner, [alarm.id]);
  await change('DELETE /alarms/{id}', owner, [alarm.id]);

  await change('PATCH /auth/me', member.accessToken, [], json({ name: 'Cassilda' }));
  const email = newEmail();
  await change('POST /auth/register', null, [], json({ email, password: PASSWORD, name: 'Uoht' }));
  const logged = await change<{ accessToken: string; refreshToken: string }>(
    'POST /auth/login',
    null,
    [],
    json({ email, password: PASSWORD }),
  );
  await change(
    'POST /auth/change-password',
    logged.accessToken,
    [],
    json({ currentPassword: PASSWORD, newPassword: `${PASSWORD} 2` }),
  );
  const anew = await server.api<{ accessToken: string; refreshToken: string }>('POST', '/auth/login', {
    key: null,
    ...json({ email, password: `${PASSWORD} 2` }),
  });
  await change('POST /auth/logout', anew.data.accessToken, [], json({ refreshToken: anew.data.refreshToken }));

  await change('DELETE /projects/{id}', owner, [project.id], { query: { force: true } });
  await expect
    .poll(async () => (await server.api('DELETE', `/teams/${team.id}`, { key: owner })).status < 500)
    .toBe(true);
  await change('POST /rate-limits/reset', boss, []);
  await change('POST /jobs/retry', boss, [], json({}));

  const missing = routes.filter(
    (route) => !tried.has(route) && !SILENT[route] && !OF_PEOPLE.test(route) && route !== 'DELETE /teams/{id}',
  );
  expect(missing, 'routes that no call above tries').toEqual([]);
  const entries = [
    ...(await log(owner, { organizationId: ids.organization })),
    ...(await log(boss)),
    ...(await log(boss, { organizationId: await ownOrganization() })),
  ];
  const recorded = new Set(entries.filter(({ result }) => result === 'success').map(({ requestId }) => requestId));
  const silent = [...tried].filter(([, requestId]) => !recorded.has(requestId)).map(([route]) => route);
  // The organization that it made and removed took its log out of everybody's sight.
  const gone = [
    'POST /organizations',
    'PATCH /organizations/{id}',
    'POST /organizations/{id}/transfer',
    'DELETE /organizations/{id}',
  ];
  expect(silent.filter((route) => !gone.includes(route))).toEqual([]);
}, 120_000);

async function log(key: string, query: Record<string, string> = {}): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await server.api<{ items: Entry[]; nextCursor: string | null }>('GET', '/audit-logs', {
      key,
      query: { limit: 500, ...query, cursor },
    });
    entries.push(...expectData(page).items);
    if (page.data.nextCursor === null) return entries;
    cursor = page.data.nextCursor;
  }
}

async function tusUpload(): Promise<string> {
  const made = await server.request('/api/v1/tus', {
    method: 'POST',
    headers: { authorization: `Bearer ${estate.key}`, 'tus-resumable': '1.0.0', 'upload-length': '4' },
  });
  expect(made.status).toBe(201);
  return made.headers.get('location')?.split('/').at(-1) ?? '';
}

/** The organization of whoever runs the server, which may have buckets on this machine. */
async function ownOrganization(): Promise<string> {
  const { data } = await admin.call<{ items: { id: string }[] }>('GET', '/organizations');
  return data.items[0]?.id ?? '';
}

/** Where the files of the first project go. */
async function defaultBucket(): Promise<string> {
  const { data } = await server.api<{ items: { bucketId: string }[] }>('GET', '/projects');
  return data.items[0]?.bucketId ?? '';
}

async function firstTeam(person: Person): Promise<string> {
  const { data } = await person.call<{ items: { id: string }[] }>('GET', '/teams');
  return data.items[0]?.id ?? '';
}
