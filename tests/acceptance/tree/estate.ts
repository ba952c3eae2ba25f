import { expect } from 'vitest';
import { type Answer, expectData } from '../../support/api.ts';
import { newEmail, type Person, register } from '../../support/people.ts';
import type { Server } from '../../support/server.ts';
import { ask, putFile, signUpload } from '../../support/uploadthing.ts';

/** The ids of everything that one organization has, by what stands before or for them in an address. */
export interface Ids {
  organization: string;
  team: string;
  project: string;
  bucket: string;
  tenant: string;
  'api-key': string;
  file: string;
  upload: string;
  invitation: string;
  user: string;
  event: string;
  webhook: string;
  delivery: string;
  preset: string;
  /** Of a transform. */
  job: string;
  callback: string;
  alarm: string;
}

/** An organization with one thing of each kind, and all who may act in it. */
export interface Estate {
  ids: Ids;
  owner: Person;
  member: Person;
  viewer: Person;
  /** May everything in the project. */
  key: string;
  /** Confined to the tenant. */
  tenantKey: string;
  tenantToken: string;
}

/** Lifts the limits that tests would run into: they come from one address. Needs the first person of the server. */
export async function liftLimits(admin: Person): Promise<void> {
  const tiers = [
    'login',
    'registration',
    'unauthenticated',
    'read',
    'standard',
    'write',
    'delete',
    'expensive',
    'admin',
    'key-creation',
  ];
  const json = Object.fromEntries(tiers.map((tier) => [tier, null]));
  expectData(await admin.call('PATCH', '/rate-limits', { json }));
}

export async function makeEstate(server: Server, name: string): Promise<Estate> {
  const owner = await register(server);
  const made = async <Data>(answer: Promise<Answer<Data>>): Promise<Data> => expectData(await answer, 201);
  const organization = (await made(owner.call<{ id: string }>('POST', '/organizations', { json: { name } }))).id;
  const teams = await owner.call<{ items: { id: string }[] }>('GET', '/teams', {
    query: { organizationId: organization },
  });
  const team = teams.data.items[0]?.id ?? '';
  const { id: project, bucketId: bucket } = await made(
    owner.call<{ id: string; bucketId: string }>('POST', '/projects', { json: { teamId: team, name: 'Shop' } }),
  );
  const [member, viewer] = [
    await join(server, owner, organization, 'member'),
    await join(server, owner, organization, 'viewer'),
  ];
  for (const [person, role] of [
    [member, 'member'],
    [viewer, 'viewer'],
  ] as const)
    expect((await owner.call('PUT', `/teams/${team}/members/${person.user.id}`, { json: { role } })).status).toBe(204);
  const makeKey = (json: object) =>
    made(
      owner.call<{ id: string; key: string }>('POST', '/api-keys', {
        json: { projectId: project, name: 'a', ...json },
      }),
    );
  const key = await makeKey({ permissions: ['admin'], signs: true });
  const tenant = await made(
    server.api<{ id: string }>('POST', '/tenants', { key: key.key, json: { name: 'Customer' } }),
  );
  const permissions = ['files:read', 'files:write', 'files:delete'];
  const tenantKey = await makeKey({
    permissions: [...permissions, 'tenants:manage'],
    restrictions: { tenantId: tenant.id },
  });
  const token = await made(
    server.api<{ token: string }>('POST', `/tenants/${tenant.id}/tokens`, { key: key.key, json: { permissions } }),
  );
  const file = await made(
    server.api<{ id: string }>('POST', '/files', { key: key.key, query: { path: 'a/b.txt' }, body: `of ${name}` }),
  );
  const upload = await made(
    server.api<{ uploadId: string }>('POST', '/uploads/init', { key: key.key, json: { fileName: 'c.bin', size: 5 } }),
  );
  const invitation = await made(
    owner.call<{ id: string }>('POST', `/organizations/${organization}/invitations`, { json: { email: newEmail() } }),
  );
  const happened = await owner.call<{ items: { id: string }[] }>('GET', '/events', {
    query: { organizationId: organization },
  });
  // Nobody answers there: the delivery fails, and stays.
  const { id: webhook } = await made(
    owner.call<{ id: string }>('POST', '/webhooks', {
      json: { projectId: project, url: 'https://receiver.invalid/hook', events: ['webhook.test'] },
    }),
  );
  const delivery = expectData(await owner.call<{ id: string }>('POST', `/webhooks/${webhook}/test`));
  const { id: preset } = await made(
    server.api<{ id: string }>('POST', '/transform-presets', { key: key.key, json: { name: 'thumb', steps: 'w_100' } }),
  );
  const alarm = await made(
    owner.call<{ id: string }>('POST', '/alarms', { json: { organizationId: organization, kind: 'quota' } }),
  );
  const ids: Ids = {
    ...{ organization, team, project, bucket, tenant: tenant.id, 'api-key': key.id, file: file.id },
    ...{ upload: upload.uploadId, invitation: invitation.id, user: member.user.id },
    event: expectData(happened).items[0]?.id ?? '',
    ...{ webhook, delivery: delivery.id, alarm: alarm.id, job: await makeJob(server, key.key), preset },
    callback: await makeCallback(server, { appId: project, apiKey: key.key }),
  };
  return { ids, owner, member, viewer, key: key.key, tenantKey: tenantKey.key, tenantToken: token.token };
}

/** What an app is told of an upload that was refused: it leaves no file. Nobody answers there. */
export async function makeCallback(server: Server, app: { appId: string; apiKey: string }): Promise<string> {
  const page = '<html></html>';
  const { key, url } = signUpload(server, { ...app, size: page.length, name: 'a.png', type: 'image/png', slug: 's' });
  const callback = { callbackUrl: 'https://receiver.invalid/callback', callbackSlug: 's' };
  expect((await ask(server, '/ingest/route-metadata', { fileKeys: [key], ...callback }, app.apiKey)).status).toBe(200);
  expect((await putFile(url, page)).status).toBe(415);
  const listed = await server.api<{ items: { id: string }[] }>('GET', '/callbacks', {
    key: app.apiKey,
    query: { fileKey: key },
  });
  return expectData(listed).items[0]?.id ?? '';
}

/** A transform job whose source was damaged, and is gone: nothing else is left of it. */
async function makeJob(server: Server, key: string): Promise<string> {
  const body = Buffer.from('\x89PNG\r\n\x1a\n and no more', 'latin1');
  const source = await server.api<{ id: string }>('POST', '/files', { key, query: { path: 'a/c.png' }, body });
  const { id: fileId } = expectData(source, 201);
  const json = { fileId, steps: [{ type: 'image', transform: 'w_10' }] };
  const { id } = expectData(await server.api<{ id: string }>('POST', '/transform/jobs', { key, json }), 202);
  const purged = await server.api('DELETE', `/files/${fileId}`, { key, query: { permanent: true } });
  expect(purged.status).toBe(200);
  return id;
}

/** Somebody new, invited by the owner. */
export async function join(server: Server, owner: Person, organization: string, role: string): Promise<Person> {
  const person = await register(server);
  const invited = await owner.call<{ link: string }>('POST', `/organizations/${organization}/invitations`, {
    json: { email: person.email, role },
  });
  const token = new URL(expectData(invited, 201).link).hash.replace('#token=', '');
  expectData(await person.call('POST', '/invitations/accept', { json: { token } }));
  return person;
}
