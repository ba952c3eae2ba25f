import type { OrganizationId, ProjectId, TeamId } from '@carcosa/kernel';
import type { Queryable } from '../queryable.ts';

/** Where something that a request named stands in the tree. */
export interface AuditTarget {
  /** As it was named: an id, the public id of an API key, or the key of a file's address. */
  named: string;
  id: string;
  organizationId: OrganizationId;
  teamId: TeamId | null;
  projectId: ProjectId | null;
  /** "" for none. */
  tenantId: string;
  /** Of files and uploads. */
  path: string | null;
}

export interface NamedTargets {
  ids: readonly string[];
  /** Public ids of API keys. */
  publicIds: readonly string[];
  /** Keys of addresses of files. */
  fileKeys: readonly string[];
}

/** Those of what was named that exist, in one query by primary keys and unique indexes. */
export async function findAuditTargets(db: Queryable, named: NamedTargets): Promise<AuditTarget[]> {
  const { ids, publicIds, fileKeys } = named;
  if (ids.length + publicIds.length + fileKeys.length === 0) return [];
  const { rows } = await db.query<AuditTarget>(FIND, [ids, publicIds, fileKeys]);
  return rows;
}

/** What stands in a project, by the alias `t`. */
const inProject = (table: string, name: string, tenant: string, path: string, condition: string) =>
  `select ${name}, t.id, p.organization_id, p.team_id, p.id, ${tenant}, ${path} from ${table} t join projects p on p.id = t.project_id where ${condition}`;

const FIND = `
select named, id, organization_id as "organizationId", team_id as "teamId", project_id as "projectId", tenant_id as "tenantId", path from (
  ${inProject('files', 't.id', 't.tenant_id', 't.path', 't.id = any($1)')}
  union all ${inProject('files', 't.key', 't.tenant_id', 't.path', 't.key = any($3)')}
  union all ${inProject('uploads', 't.id', 't.tenant_id', 't.path', 't.id = any($1)')}
  union all ${inProject('tenants', 't.id', 't.id', 'null', 't.id = any($1)')}
  union all ${inProject('api_keys', 't.id', `''`, 'null', 't.id = any($1)')}
  union all ${inProject('api_keys', 't.public_id', `''`, 'null', 't.public_id = any($2)')}
  union all select id, id, organization_id, team_id, id, '', null from projects where id = any($1)
  union all select id, id, organization_id, id, null, '', null from teams where id = any($1)
  union all select id, id, organization_id, null, null, '', null from buckets where id = any($1)
  union all select id, id, organization_id, null, project_id, '', null from webhooks where id = any($1)
  union all select id, id, organization_id, team_id, null, '', null from invitations where id = any($1)
  union all select id, id, id, null, null, '', null from organizations where id = any($1)
) as found (named, id, organization_id, team_id, project_id, tenant_id, path)`;
