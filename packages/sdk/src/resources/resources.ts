import type { BodyOf, Http, OperationData, OperationInput, OperationName, QueryOf } from '../http.ts';
import { type Page, type Pages, pages } from '../pages.ts';
import { type StreamQuery, streamEvents } from './event-stream.ts';

/** Operations that give a list in pages. */
type ListName = {
  [Name in OperationName]: OperationData<Name> extends Page<unknown> ? Name : never;
}[OperationName];
type ItemOf<Name extends ListName> = OperationData<Name>['items'][number];
type AtId = {
  [Name in OperationName]: OperationInput<Name> extends { path: { id: string } } ? Name : never;
}[OperationName];

/** Makes the methods of the resources: each is one operation of the OpenAPI document. */
function makers(http: Http) {
  return {
    list:
      <Name extends ListName>(name: Name) =>
      (query: Omit<QueryOf<Name>, 'cursor'> = {} as QueryOf<Name>): Pages<ItemOf<Name>> => {
        const load = (cursor: string | undefined): Promise<unknown> =>
          http.call(name, { query: http.inProject({ ...query, cursor }) } as never);
        return pages(load as (cursor: string | undefined) => Promise<Page<ItemOf<Name>>>);
      },
    /** With an id alone. */
    one:
      <Name extends AtId>(name: Name) =>
      (id: string): Promise<OperationData<Name>> =>
        http.call(name, { path: { id } } as never),
    /** With an id and a body. */
    change:
      <Name extends AtId>(name: Name) =>
      (id: string, body: BodyOf<Name>): Promise<OperationData<Name>> =>
        http.call(name, { path: { id }, body } as never),
    /** With a body that names a project. */
    create:
      <Name extends OperationName>(name: Name) =>
      (body: BodyOf<Name>): Promise<OperationData<Name>> =>
        http.call(name, { body: http.inProject(body as object) } as never),
    /** With a body alone. */
    post:
      <Name extends OperationName>(name: Name) =>
      (body: BodyOf<Name>): Promise<OperationData<Name>> =>
        http.call(name, { body } as never),
  };
}

/** Everything beside files and uploads. What is not here is asked by `carcosa.call('GET /…')`, with the same types. */
export function resources(http: Http) {
  const { list, one, change, create, post } = makers(http);
  return {
    projects: {
      list: list('GET /projects'),
      get: one('GET /projects/{id}'),
      create: post('POST /projects'),
      update: change('PATCH /projects/{id}'),
      delete: one('DELETE /projects/{id}'),
      /** Revokes all signed addresses of its files. */
      rotateSigningKey: one('POST /projects/{id}/rotate-signing-key'),
      quotas: one('GET /projects/{id}/quotas'),
      setQuotas: change('PUT /projects/{id}/quotas'),
      buckets: one('GET /projects/{id}/buckets'),
    },
    tenants: {
      list: list('GET /tenants'),
      get: one('GET /tenants/{id}'),
      create: create('POST /tenants'),
      update: change('PATCH /tenants/{id}'),
      delete: one('DELETE /tenants/{id}'),
      quotas: one('GET /tenants/{id}/quotas'),
      setQuotas: change('PUT /tenants/{id}/quotas'),
      /** A token for the browser of one of the tenant's people. */
      createToken: change('POST /tenants/{id}/tokens'),
    },
    tokens: {
      /** What a key or token is and may. */
      validate: (token: string) => http.call('POST /tokens/validate', { body: { token } }),
    },
    apiKeys: {
      list: list('GET /api-keys'),
      get: one('GET /api-keys/{id}'),
      create: create('POST /api-keys'),
      update: change('PATCH /api-keys/{id}'),
      rotate: change('POST /api-keys/{id}/rotate'),
      revoke: one('DELETE /api-keys/{id}'),
    },
    buckets: {
      list: list('GET /buckets'),
      get: one('GET /buckets/{id}'),
      create: post('POST /buckets'),
      update: change('PATCH /buckets/{id}'),
      delete: one('DELETE /buckets/{id}'),
      share: change('POST /buckets/{id}/share'),
      /** What the credentials may do there. */
      test: change('POST /buckets/{id}/test'),
      /** Lets pages upload straight to the bucket. */
      fixCors: change('POST /buckets/{id}/fix-cors'),
    },
    webhooks: {
      list: list('GET /webhooks'),
      get: one('GET /webhooks/{id}'),
      create: create('POST /webhooks'),
      update: change('PATCH /webhooks/{id}'),
      delete: one('DELETE /webhooks/{id}'),
      rotateSecret: change('POST /webhooks/{id}/rotate-secret'),
      test: one('POST /webhooks/{id}/test'),
      replay: change('POST /webhooks/{id}/replay'),
    },
    events: {
      list: list('GET /events'),
      get: one('GET /events/{id}'),
      replay: change('POST /events/{id}/replay'),
      /** `for await (const { event, cursor } of events.stream())`: what happens, as it happens. */
      stream: (query: StreamQuery = {}, signal?: AbortSignal) => streamEvents(http, query, signal),
    },
    usage: {
      overview: (query: QueryOf<'GET /usage/overview'> = {}) =>
        http.call('GET /usage/overview', { query: http.inProject(query) }),
      breakdown: (query: QueryOf<'GET /usage/breakdown'>) =>
        http.call('GET /usage/breakdown', { query: http.inProject(query) }),
      trends: (query: QueryOf<'GET /usage/trends'> = {}) =>
        http.call('GET /usage/trends', { query: http.inProject(query) }),
    },
    auditLogs: { list: list('GET /audit-logs') },
    organizations: { list: list('GET /organizations'), get: one('GET /organizations/{id}') },
    teams: { list: list('GET /teams'), get: one('GET /teams/{id}') },
  };
}

export type Resources = ReturnType<typeof resources>;
