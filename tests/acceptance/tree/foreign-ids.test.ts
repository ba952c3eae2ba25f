import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CallOptions } from '../../support/api.ts';
import { type Person, register } from '../../support/people.ts';
import { textOf } from '../../support/realtime.ts';
import { type Server, startServer } from '../../support/server.ts';
import { type Estate, type Ids, liftLimits, makeEstate } from './estate.ts';

interface Operation {
  parameters: { name: string; in: string }[];
  requestBody?: unknown;
  'x-carcosa-access': string[] | 'public' | 'login' | 'server-admin';
}

interface Route {
  name: string;
  method: string;
  path: string;
  operation: Operation;
}

/** What stands for an id in an address, by the resource before it. */
const KINDS: Record<string, keyof Ids> = {
  organizations: 'organization',
  teams: 'team',
  projects: 'project',
  buckets: 'bucket',
  tenants: 'tenant',
  'api-keys': 'api-key',
  files: 'file',
  uploads: 'upload',
  tus: 'upload',
  invitations: 'invitation',
  members: 'user',
  events: 'event',
  webhooks: 'webhook',
  deliveries: 'delivery',
  'transform-presets': 'preset',
  jobs: 'job',
  callbacks: 'callback',
  alarms: 'alarm',
};
/** Ids in a query or body. */
const NAMED: Record<string, keyof Ids> = {
  projectId: 'project',
  organizationId: 'organization',
  teamId: 'team',
  tenantId: 'tenant',
  bucketId: 'bucket',
  userId: 'user',
};

/** A body that would be right if the ids were; for every route that wants one. */
const BODIES: Record<string, (ids: Ids) => CallOptions> = {
  'POST /organizations/{id}/transfer': ({ user: userId }) => ({ json: { userId } }),
  'PATCH /organizations/{id}': () => ({ json: { name: 'Mine' } }),
  'PATCH /organizations/{id}/members/{userId}': () => ({ json: { role: 'owner' } }),
  'POST /organizations/{id}/invitations': () => ({ json: { email: 'me@example.com', role: 'owner' } }),
  'POST /teams': ({ organization: organizationId }) => ({ json: { organizationId, name: 'Mine' } }),
  'PATCH /teams/{id}': () => ({ json: { name: 'Mine' } }),
  'PUT /teams/{id}/members/{userId}': () => ({ json: { role: 'owner' } }),
  'PUT /organizations/{id}/quotas': () => ({ json: { quotas: { bytes: 1 } } }),
  'PUT /organizations/{id}/billing': () => ({ json: { customerId: null } }),
  'PUT /organizations/{id}/prices': () => ({ json: { prices: {} } }),
  'PUT /projects/{id}/quotas': () => ({ json: { quotas: { bytes: 1 } } }),
  'PUT /tenants/{id}/quotas': () => ({ json: { quotas: { bytes: 1 } } }),
  'POST /projects': ({ team: teamId }) => ({ json: { teamId, name: 'Mine' } }),
  'PATCH /projects/{id}': () => ({ json: { name: 'Mine' } }),
  'POST /tenants': ({ project: projectId }) => ({ json: { projectId, name: 'Mine' } }),
  'PATCH /tenants/{id}': () => ({ json: { name: 'Mine' } }),
  'POST /tenants/{id}/tokens': () => ({ json: { permissions: ['files:read'] } }),
  'POST /api-keys': ({ project: projectId }) => ({ json: { projectId, name: 'Mine', permissions: ['files:read'] } }),
  'PATCH /api-keys/{id}': () => ({ json: { name: 'Mine' } }),
  'POST /api-keys/{id}/rotate': () => ({ json: {} }),
  'POST /access/explain': ({ project: projectId }) => ({ json: { projectId, permission: 'files:read' } }),
  'POST /buckets': ({ organization: organizationId }) => ({
    json: { organizationId, name: 'Mine', provider: 'local' },
  }),
  'PATCH /buckets/{id}': () => ({ json: { name: 'Mine' } }),
  'POST /buckets/{id}/test': () => ({ json: {} }),
  'POST /buckets/{id}/fix-cors': () => ({ json: {} }),
  'POST /buckets/{id}/share': ({ team: teamId }) => ({ json: { teamId, access: 'admin' } }),
  'PUT /projects/{id}/buckets/{bucketId}': () => ({ json: { default: true } }),
  'POST /files': ({ project: projectId }) => ({ query: { projectId, path: 'mine.txt' }, body: 'mine' }),
  'PATCH /files/{id}': () => ({ json: { name: 'mine.txt' } }),
  'POST /files/{id}/copy': () => ({ json: { path: 'mine.txt' } }),
  'POST /files/{id}/restore': () => ({ json: {} }),
  'POST /files/{id}/signed-url': () => ({ json: {} }),
  'POST /files/bulk': ({ file: id }) => ({ json: { action: 'purge', items: [{ id }] } }),
  'POST /webhooks': ({ project: projectId }) => ({ json: { projectId, url: 'https://receiver.example/hook' } }),
  'PATCH /webhooks/{id}': () => ({ json: { description: 'Mine' } }),
  'POST /webhooks/{id}/rotate-secret': () => ({ json: {} }),
  'POST /webhooks/{id}/replay': () => ({ json: { from: '2026-01-01T00:00:00.000Z' } }),
  'POST /events/{id}/replay': ({ webhook: webhookId }) => ({ json: { webhookId } }),
  'POST /transform-presets': ({ project: projectId }) => ({ json: { projectId, name: 'mine', steps: 'w_1' } }),
  'PATCH /transform-presets/{id}': () => ({ json: { steps: 'w_1' } }),
  'POST /transform/sign': ({ project: projectId }) => ({ json: { projectId, path: 'a/b.txt', steps: 'w_1' } }),
  'POST /alarms': ({ organization: organizationId }) => ({ json: { organizationId, kind: 'quota' } }),
  'PATCH /alarms/{id}': () => ({ json: { name: 'Mine' } }),
  'POST /transform/jobs': ({ project: projectId, file: fileId }) => ({
    json: { projectId, fileId, steps: [{ type: 'image', transform: 'w_10' }] },
  }),
  'POST /uploads/init': ({ project: projectId }) => ({ json: { projectId, fileName: 'mine', size: 1 } }),
  'POST /uploads/{id}/parts': () => ({ json: { partNumbers: [1] } }),
  'POST /uploads/{id}/complete': () => ({ json: {} }),
  'PATCH /tus/{id}': () => ({
    headers: { 'tus-resumable': '1.0.0', 'upload-offset': '0', 'content-type': 'application/offset+octet-stream' },
    body: 'mine',
  }),
  'POST /tus': ({ project: projectId }) => ({
    query: { projectId },
    headers: { 'tus-resumable': '1.0.0', 'upload-length': '1' },
  }),
};
/** What a query must have beside ids. */
const QUERIES: Record<string, Record<string, string>> = {
  'GET /audit-logs/export': { format: 'jsonl' },
  'GET /usage/export': { format: 'jsonl' },
  'GET /usage/breakdown': { by: 'day' },
};
const TUS = { headers: { 'tus-resumable': '1.0.0' } };

/** Routes that name nothing of others: what they show or change is the caller's own, or open to all. Each with its reason. */
const OWN_ONLY: Record<string, string> = {
  'POST /organizations': 'makes one of the caller',
  'GET /organizations': 'lists those of the caller',
  'GET /transform-statistics': 'counts pictures, and names none',
  'POST /uploads/collect': 'removes what nothing refers to, of everybody',
  'POST /invitations/accept': 'names nothing but the secret of a link',
  'OPTIONS /tus': 'says what the protocol can do',
  'OPTIONS /tus/{id}': 'says what the protocol can do, whatever the id',
};
/** Resources that have no owner but the caller or the server: their own suites attack them. */
const ELSEWHERE = /^\/(auth|rate-limits|plans|prices|health|jobs)\b/;

let server: Server;
let admin: Person;
let victim: Estate;
let thief: Estate;
let routes: Route[];

beforeAll(async () => {
  server = await startServer();
  admin = await register(server);
  await liftLimits(admin);
  victim = await makeEstate(server, 'Victim');
  thief = await makeEstate(server, 'Thief');
  const answer = await server.request('/api/v1/openapi.json');
  const document = (await answer.json()) as { paths: Record<string, Record<string, Operation>> };
  routes = Object.entries(document.paths).flatMap(([address, item]) => {
    const path = address.replace('/api/v1', '');
    return Object.entries(item).map(([verb, operation]) => {
      const method = verb.toUpperCase();
      return { name: `${method} ${path}`, method, path, operation };
    });
  });
}, 120_000);
afterAll(() => server.stop());

const kindBefore = (path: string, at: number): keyof Ids | undefined => {
  const before = path.slice(0, at).split('/').filter(Boolean).at(-1) ?? '';
  return KINDS[before];
};

/** Whether the route names something in its address, its query, or by a body that is known. */
function isAttackable({ name, path, operation }: Route): boolean {
  const named = operation.parameters.some((each) => each.in === 'query' && NAMED[each.name] !== undefined);
  return path.includes('{') || named || BODIES[name] !== undefined;
}

const attacked = (): Route[] =>
  routes.filter(
    (route) =>
      route.operation['x-carcosa-access'] !== 'public' &&
      OWN_ONLY[route.name] === undefined &&
      !ELSEWHERE.test(route.path),
  );

function requestOf(
  route: Route,
  ids: Ids,
  given: Partial<Record<string, string>>,
): { path: string; options: CallOptions } {
  const path = route.path.replace(/\{(\w+)\}/g, (_text, name: string, at: number) => {
    if (name === 'version' || name === 'partNumber') return '1';
    if (name === 'month') return '2026-01';
    const kind = NAMED[name] ?? kindBefore(route.path, at);
    if (!kind) throw new Error(`${route.name}: which kind of thing is {${name}}? Add it to KINDS.`);
    return ids[kind];
  });
  const body = BODIES[route.name]?.(ids);
  if (route.operation.requestBody && !body) throw new Error(`${route.name} wants a body: add one to BODIES.`);
  const wanted = route.operation.parameters.filter((each) => each.in === 'query' && NAMED[each.name] !== undefined);
  const query = Object.fromEntries(wanted.map(({ name }) => [name, given[name]]));
  const tus = route.path.startsWith('/tus') ? TUS : {};
  return { path, options: { ...tus, ...body, query: { ...query, ...QUERIES[route.name], ...body?.query } } };
}

const MISSING: Ids = Object.fromEntries(
  Object.entries({
    ...{
      organization: 'org',
      team: 'team',
      project: 'prj',
      bucket: 'bkt',
      tenant: 'ten',
      'api-key': 'key',
      file: 'file',
    },
    ...{ upload: 'upl', invitation: 'inv', user: 'usr', event: 'evt' },
    ...{ webhook: 'whk', delivery: 'dlv', alarm: 'alm', callback: 'cbk', job: 'job', preset: 'pre' },
  }).map(([kind, prefix]) => [kind, `${prefix}_${'0'.repeat(26)}`]),
) as unknown as Ids;

const ids = (of: Ids, name: string): string | undefined => {
  const kind = NAMED[name];
  return kind && of[kind];
};
const all = (of: Ids) => Object.fromEntries(Object.keys(NAMED).map((name) => [name, ids(of, name)]));

interface Told {
  status: number;
  text: string;
}

/** As {@link Server.api}, for answers of any kind. */
async function ask(
  { method }: Route,
  { path, options }: ReturnType<typeof requestOf>,
  key: string | null,
): Promise<Told> {
  const address = new URL(`${server.url}/api/v1${path}`);
  for (const [name, value] of Object.entries(options.query ?? {}))
    if (value !== undefined) address.searchParams.append(name, String(value));
  const json = options.json === undefined ? undefined : JSON.stringify(options.json);
  const response = await fetch(address, {
    method,
    headers: {
      ...(key === null ? {} : { authorization: `Bearer ${key}` }),
      ...(json === undefined ? {} : { 'content-type': 'application/json' }),
      ...options.headers,
    },
    body: json ?? (options.body as string | undefined) ?? null,
    redirect: 'manual',
  });
  return { status: response.status, text: await textOf(response) };
}

/** What an answer tells, but for what differs with each request, and for the ids that the caller sent. */
function told(answer: Told, of: Ids): string {
  const body = answer.text.replace(/"(timestamp|requestId)":"[^"]*"/g, '');
  const blind = Object.entries(of).reduce((text, [kind, id]) => text.replaceAll(id, kind), body);
  return `${answer.status} ${blind}`;
}

describe('every route, with the ids of another organization', () => {
  const thieves: Record<string, () => string> = {
    'its owner': () => thief.owner.accessToken,
    'a member': () => thief.member.accessToken,
    'a viewer': () => thief.viewer.accessToken,
    'a key that may everything': () => thief.key,
    'a key of one tenant': () => thief.tenantKey,
    'a tenant token': () => thief.tenantToken,
    'an administrator of the server': () => admin.accessToken,
  };

  it('has an attack for each route', () => {
    const unknown = attacked().filter((route) => !isAttackable(route));
    expect(unknown.map(({ name }) => name)).toEqual([]);
    for (const route of attacked()) expect(() => requestOf(route, MISSING, all(MISSING))).not.toThrow();
    for (const name of [...Object.keys(OWN_ONLY), ...Object.keys(BODIES)]) {
      expect(routes.map((route) => route.name)).toContain(name);
    }
  });

  it.each(Object.keys(thieves))('tells %s no more than of ids that nobody has', async (who) => {
    const key = thieves[who]?.() ?? null;
    const failures: string[] = [];
    for (const route of attacked()) {
      // With the victim's project named, with one's own, and with none.
      for (const named of [all(victim.ids), all(thief.ids), {}]) {
        // One's own log and usage are one's own, grow with each attempt, and say what one tried.
        if (/^\/(audit-logs|usage)\b/.test(route.path) && named.projectId !== victim.ids.project) continue;
        // They set what organizations may use, and so see which there are.
        if (key === admin.accessToken && /^\/organizations\/\{id\}\/(quotas|prices|billing)$/.test(route.path))
          continue;
        const real = requestOf(route, victim.ids, named);
        const fake = requestOf(route, MISSING, named === undefined ? {} : replaceVictim(named));
        const [seen, unseen] = [await ask(route, real, key), await ask(route, fake, key)];
        const isSame = told(seen, victim.ids) === told(unseen, MISSING);
        const isRefused = seen.status >= 400 || isHarmless(route, seen);
        // A request of no proper form would be refused whoever sent it.
        const isProper = seen.status !== 400 || named.projectId !== victim.ids.project;
        if (!isSame || !isRefused || !isProper)
          failures.push(`${route.name}: ${told(seen, victim.ids)} / ${told(unseen, MISSING)}`);
      }
    }
    expect(failures).toEqual([]);
  });

  it('answers whoever may with what is there, so that the refusals above mean something', async () => {
    const named = all(victim.ids);
    for (const route of attacked().filter(({ method }) => method === 'GET')) {
      if (route.operation['x-carcosa-access'] === 'server-admin') continue;
      const request = requestOf(route, victim.ids, { ...named, tenantId: undefined });
      const answer = await ask(route, request, victim.owner.accessToken);
      expect([route.name, answer.status < 400]).toEqual([route.name, true]);
    }
  });

  it('has left everything as it was', async () => {
    const file = await server.request(
      new URL(
        (
          await server.api<{ url: string }>('POST', `/files/${victim.ids.file}/signed-url`, {
            key: victim.key,
            json: {},
          })
        ).data.url,
      ).href.replace(server.url, ''),
    );
    expect(await file.text()).toBe('of Victim');
    const members = await victim.owner.call<{ items: unknown[] }>(
      'GET',
      `/organizations/${victim.ids.organization}/members`,
    );
    expect(members.data.items).toHaveLength(3);
    const files = await server.api<{ items: unknown[] }>('GET', '/files', { key: victim.key });
    expect(files.data.items).toHaveLength(1);
    expect((await server.api('GET', `/uploads/${victim.ids.upload}`, { key: victim.key })).status).toBe(200);
  });
});

/** In place of what is the victim's, what nobody has; what is the thief's own stays. */
function replaceVictim(named: Partial<Record<string, string>>): Partial<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(named).map(([name, id]) => [
      name,
      id !== undefined && id === ids(victim.ids, name) ? ids(MISSING, name) : id,
    ]),
  );
}

/** A list of one's own, or a result for each item that says that there is no such thing. */
function isHarmless(route: Route, { text }: Told): boolean {
  if (route.name === 'POST /files/bulk') return text.includes('"not_found"') && !text.includes('"ok":true');
  return route.method === 'GET' && !Object.values(victim.ids).some((id) => text.includes(id));
}
