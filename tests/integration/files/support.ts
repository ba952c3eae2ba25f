import { File, ListFilesQuery, type Page, type Permission, splitPath } from '@carcosa/contracts';
import { type Database, type Queryable, transaction } from '@carcosa/database';
import { Access, FileService, type FileServiceParts, ProjectFactsCache } from '@carcosa/domain';
import { type BucketId, type FileId, IdGenerator, ManualClock, type ProjectId, systemRandom } from '@carcosa/kernel';
import { z } from 'zod';
import { apiKeyActor } from '../../support/actors.ts';
import { createTestDatabase, type DatabaseKind } from '../../support/database.ts';

export const PUBLIC_URL = 'https://files.example';

export interface SeedFile {
  path: string;
  tenantId?: string;
  size?: number;
  contentType?: string;
  visibility?: 'public' | 'private';
  tags?: string[];
  metadata?: Record<string, unknown>;
  uploadedBy?: string | null;
  /** Milliseconds since the epoch; default: the clock's. */
  createdAt?: number;
  deletedAt?: number | null;
  /** Default: an object of its own. */
  objectId?: string;
}

export type FileWorld = Awaited<ReturnType<typeof createFileWorld>>;

/** A database with a project, the service on it, and a way to file what uploads would have brought. */
export async function createFileWorld(kind: DatabaseKind, options: { poolSize?: number } = {}) {
  const database = await createTestDatabase({ kind, poolSize: options.poolSize ?? 10 });
  const clock = new ManualClock();
  const ids = new IdGenerator(clock);
  const bucketId = ids.next('bucket');
  const organizationId = ids.next('organization');
  const teamId = ids.next('team');
  const db: Queryable = database.pool;
  await db.query('insert into organizations (id, name, slug, created_at) values ($1, $1, $1, now())', [organizationId]);
  await db.query('insert into teams (id, organization_id, name, slug, created_at) values ($1, $2, $1, $1, now())', [
    teamId,
    organizationId,
  ]);
  await db.query(
    `insert into buckets (id, organization_id, name, provider, config, created_at) values ($1, $2, 'b', 'local', '{}', now())`,
    [bucketId, organizationId],
  );
  const addProject = async (settings: Record<string, unknown> = {}): Promise<ProjectId> => {
    const id = ids.next('project');
    await db.query(
      `insert into projects (id, organization_id, team_id, bucket_id, name, slug, settings, created_at, updated_at)
       values ($1, $2, $3, $4, $1, $1, $5, now(), now())`,
      [id, organizationId, teamId, bucketId, JSON.stringify(settings)],
    );
    return id;
  };
  const projectId = await addProject();
  const access = new Access({ projects: new ProjectFactsCache({ db, clock }) });
  const parts: FileServiceParts = {
    access,
    db,
    transaction: (work) => transaction(database.pool, work),
    clock,
    ids,
    random: systemRandom,
    publicUrl: PUBLIC_URL,
  };
  return {
    database,
    db,
    clock,
    ids,
    bucketId,
    projectId,
    addProject,
    parts,
    service: new FileService(parts),
    actor: apiKeyActor(ids, projectId, ['files:read', 'files:write', 'files:delete']),
    keyOf: (project: ProjectId, permissions: Permission[]) => apiKeyActor(ids, project, permissions),
    seed: (files: SeedFile[], project: ProjectId = projectId) =>
      seed({ database, clock, ids, bucketId, projectId: project }, files),
  };
}

interface SeedInto {
  database: Database;
  clock: ManualClock;
  ids: IdGenerator;
  bucketId: BucketId;
  projectId: ProjectId;
}

/** Objects, files and first versions, as a completed upload leaves them. Gives the ids in order. */
async function seed({ database, clock, ids, bucketId, projectId }: SeedInto, files: SeedFile[]): Promise<FileId[]> {
  const rows = files.map((file) => ({
    id: ids.next('file'),
    key: ids.next('request').slice(4),
    objectId: ids.next('object'),
    isNew: file.objectId === undefined,
    tenantId: '',
    size: 1,
    contentType: 'application/octet-stream',
    visibility: 'private',
    tags: [],
    metadata: {},
    uploadedBy: null,
    createdAt: clock.now(),
    deletedAt: null,
    ...splitPath(file.path),
    ...file,
  }));
  const text = JSON.stringify(rows.map((row) => ({ ...row, bucketId, projectId })));
  await database.pool.query(SEED, [text]);
  return rows.map((row) => row.id);
}

const SEED = `
with input as (
  select * from jsonb_to_recordset($1::jsonb) as n(id text, key text, "objectId" text, "isNew" bool, "tenantId" text, size bigint, "contentType" text,
    visibility text, tags jsonb, metadata jsonb, "uploadedBy" text, "createdAt" float8, "deletedAt" float8, path text, folder text, name text,
    "bucketId" text, "projectId" text)
), stored as (
  insert into objects (id, project_id, bucket_id, storage_key, size, content_type, sha256, created_at)
  select "objectId", "projectId", "bucketId", 'objects/' || "objectId", size, "contentType", sha256("objectId"::bytea), to_timestamp("createdAt" / 1000)
  from input where "isNew"
), filed as (
  insert into files (id, project_id, tenant_id, key, path, folder, name, visibility, metadata, tags, uploaded_by, version, object_id,
    bucket_id, size, content_type, sha256, created_at, updated_at, deleted_at)
  select id, "projectId", "tenantId", key, path, folder, name, visibility, metadata, array(select jsonb_array_elements_text(tags)),
    "uploadedBy", 1, "objectId", "bucketId", size, "contentType", sha256("objectId"::bytea), to_timestamp("createdAt" / 1000),
    to_timestamp("createdAt" / 1000), to_timestamp("deletedAt" / 1000)
  from input
)
insert into file_versions (file_id, version, object_id, created_at) select id, 1, "objectId", to_timestamp("createdAt" / 1000) from input`;

/** As an upload to a path that exists already does it. */
export async function addVersion(world: FileWorld, id: FileId, size: number): Promise<void> {
  const objectId = world.ids.next('object');
  await world.db.query(
    `with stored as (
       insert into objects (id, project_id, bucket_id, storage_key, size, content_type, created_at)
       select $2, project_id, bucket_id, 'objects/' || $2, $3, 'text/plain', to_timestamp($4::float8 / 1000) from files where id = $1
     ), filed as (
       update files set version = version + 1, object_id = $2, size = $3, content_type = 'text/plain', sha256 = null,
         updated_at = to_timestamp($4::float8 / 1000) where id = $1 returning version
     )
     insert into file_versions (file_id, version, object_id, created_at) select $1, version, $2, to_timestamp($4::float8 / 1000) from filed`,
    [id, objectId, size, world.clock.now()],
  );
}

const PageOfFiles = z.object({
  items: z.array(z.strictObject(File.shape)),
  nextCursor: z.string().nullable(),
  hasMore: z.boolean(),
});

/** A page of the list, held to the contract. `query` is what stands in an address. */
export async function listPage(
  world: FileWorld,
  query: Record<string, string | number> = {},
  actor = world.actor,
): Promise<Page<File>> {
  const strings = Object.fromEntries(Object.entries(query).map(([name, value]) => [name, String(value)]));
  return PageOfFiles.parse(JSON.parse(await world.service.list(actor, ListFilesQuery.parse(strings))));
}

export async function listAll(
  world: FileWorld,
  query: Record<string, string | number> = {},
  actor = world.actor,
): Promise<File[]> {
  const items: File[] = [];
  let page = await listPage(world, query, actor);
  items.push(...page.items);
  while (page.nextCursor !== null) {
    page = await listPage(world, { ...query, cursor: page.nextCursor }, actor);
    items.push(...page.items);
  }
  return items;
}

export const pathsOf = (files: readonly { path: string }[]): string[] => files.map((file) => file.path);
