import { EVENT_CONTEXT } from '../events/event-queue.ts';

/** By the prefix of the id, which is all that an upload keeps of who began it. */
const ACTOR_TYPE = (id: string): string =>
  `case split_part(${id}, '_', 1) when 'key' then 'api-key' when 'usr' then 'user' when 'tok' then 'tenant-token' else 'system' end`;

/**
 * A part of a statement's `with` that tells of sessions, and gives the positions of what it told. Of bodies that come in one request nothing is
 * told but their file: they are too many, and nobody could do anything between beginning and end. Nor of parts of others.
 * @param options.type of the event
 * @param options.from a part with the columns `id`, `project_id`, `tenant_id`, `door`, `door_state`, `path`, `size`, `created_by` of uploads, and
 *   `at`, when it happened
 * @param options.more SQL of a JSON object with what the event says beside them, from the alias `u`
 */
export function uploadTold({
  type,
  from,
  more = `'{}'::jsonb`,
}: {
  type: string;
  from: string;
  more?: string;
}): string {
  return `insert into events (id, type, organization_id, project_id, tenant_id, resource_id, path, data, created_at)
  select carcosa_id('evt', u.at), '${type}', p.organization_id, u.project_id, nullif(u.tenant_id, ''), u.id, u.path,
    jsonb_build_object('id', u.id, 'tenantId', nullif(u.tenant_id, ''), 'path', u.path, 'size', u.size, 'door', u.door)
      || ${EVENT_CONTEXT('p.organization_id', 'u.project_id', ACTOR_TYPE('u.created_by'), `coalesce(u.created_by, 'system')`)} || ${more},
    u.at
  from ${from} u join projects p on p.id = u.project_id
  where u.door <> 'simple' and coalesce(u.door_state->>'concat', '') <> 'partial'
  returning position`;
}
