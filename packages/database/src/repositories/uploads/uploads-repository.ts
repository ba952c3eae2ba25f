import type { ProjectId, UploadId } from '@carcosa/kernel';
import { queueEvents, WOKEN } from '../events/event-queue.ts';
import type { Queryable } from '../queryable.ts';
import { uploadTold } from './upload-events.ts';
import { UPLOAD_COLUMNS, type UploadRow } from './upload-row.ts';

/** Seconds that a lease lives unless it is renewed, by the database's clock. */
export const LEASE_SECONDS = 30;

export type NewUpload = Omit<UploadRow, 'status' | 'offset' | 'staged' | 'leaseFence' | 'fileId'> & {
  /** What is reserved for it, each as `chargeEntry` writes it; null: no quota is in force. */
  quotaScopes: string[] | null;
};

export interface Lease {
  owner: string;
  fence: number;
}

/** What a lease was granted on: the row as it stands, and whether the one before was never released. */
export interface LeasedUpload {
  upload: UploadRow;
  takeover: boolean;
}

/** Inserts uploads in one statement; those with a `leaseOwner` are leased to it from the start, with fence 1. */
export async function insertUploads(db: Queryable, uploads: NewUpload[]): Promise<void> {
  // Of bodies that come in one request nobody is told before their file is there.
  const isTold = uploads.some(({ door }) => door !== 'simple');
  const values = [JSON.stringify(uploads), LEASE_SECONDS];
  await db.query(
    isTold ? { name: 'begin_uploads', text: BEGIN, values } : { name: 'insert_uploads', text: INSERT, values },
  );
}

const INSERT = `insert into uploads (id, project_id, tenant_id, bucket_id, door, status, path, visibility, metadata,
    declared_content_type, checksum, created_by, size, object_id, storage_key, door_state, lease_owner, lease_fence,
    lease_until, created_at, expires_at, collect_after, quota_scopes)
  select n.id, n."projectId", n."tenantId", n."bucketId", n.door, 'open', n.path, n.visibility, n.metadata,
    n."declaredContentType", n.checksum, n."createdBy", n.size, n."objectId", n."storageKey", n."doorState", n."leaseOwner",
    case when n."leaseOwner" is null then 0 else 1 end,
    case when n."leaseOwner" is null then null else clock_timestamp() + make_interval(secs => $2) end,
    to_timestamp(n."createdAt" / 1000), to_timestamp(n."expiresAt" / 1000), to_timestamp(n."collectAfter" / 1000),
    n."quotaScopes"
  from jsonb_to_recordset($1::jsonb) as n(id text, "projectId" text, "tenantId" text, "bucketId" text, door text, path text,
    visibility text, metadata jsonb, "declaredContentType" text, checksum text, "createdBy" text, size bigint, "objectId" text,
    "storageKey" text, "doorState" jsonb, "leaseOwner" text, "createdAt" float8, "expiresAt" float8, "collectAfter" float8,
    "quotaScopes" text[])`;

const BEGIN = `with begun as (
  ${INSERT} returning id, project_id, tenant_id, door, door_state, path, size, created_by, created_at as at
), happened as (
  ${uploadTold({ type: 'upload.created', from: 'begun' })}
), ${queueEvents('happened')}
select ${WOKEN}`;

export async function findUpload(db: Queryable, id: UploadId): Promise<UploadRow | null> {
  const { rows } = await db.query<UploadRow>({
    name: 'find_upload',
    text: `select ${UPLOAD_COLUMNS} from uploads u where u.id = $1`,
    values: [id],
  });
  return rows[0] ?? null;
}

/**
 * Takes the right to write, if it is free or has lapsed. Raises the fence, so that whoever had it before can save nothing more.
 * `null`: somebody holds it, or the upload is not open.
 */
export async function acquireLease(db: Queryable, id: UploadId, owner: string): Promise<LeasedUpload | null> {
  const { rows } = await db.query<UploadRow & { previousOwner: string | null }>({
    name: 'acquire_upload_lease',
    text: `with held as (select id, lease_owner from uploads where id = $1 and status = 'open'
        and (lease_owner is null or lease_until <= clock_timestamp()) for update)
      update uploads u set lease_owner = $2, lease_fence = u.lease_fence + 1,
        lease_until = clock_timestamp() + make_interval(secs => $3)
      from held where u.id = held.id
      returning ${UPLOAD_COLUMNS}, held.lease_owner as "previousOwner"`,
    values: [id, owner, LEASE_SECONDS],
  });
  const row = rows[0];
  if (!row) return null;
  const { previousOwner, ...upload } = row;
  return { upload, takeover: previousOwner !== null };
}

/** As {@link acquireLease}, only if what is staged is due for collection. */
export async function acquireToCollect(db: Queryable, id: UploadId, owner: string, now: number): Promise<Lease | null> {
  const { rows } = await db.query<{ fence: number }>(
    `update uploads set lease_owner = $2, lease_fence = lease_fence + 1, lease_until = clock_timestamp() + make_interval(secs => $3)
     where id = $1 and status = 'open' and collect_after <= to_timestamp($4::float8 / 1000)
       and (lease_owner is null or lease_until <= clock_timestamp())
     returning lease_fence as fence`,
    [id, owner, LEASE_SECONDS, now],
  );
  return rows[0] ? { owner, fence: rows[0].fence } : null;
}

/** Renews all leases of `owner` among `ids`; returns those that it still holds. */
export async function renewLeases(db: Queryable, owner: string, ids: UploadId[]): Promise<UploadId[]> {
  const { rows } = await db.query<{ id: UploadId }>(
    `update uploads set lease_until = clock_timestamp() + make_interval(secs => $3)
     where id = any($1) and lease_owner = $2 and status = 'open' returning id`,
    [ids, owner, LEASE_SECONDS],
  );
  return rows.map((row) => row.id);
}

/** At a start that knows that no other process uses this database: nobody holds a lease any more, or is about to store an object. */
export async function releaseAllLeases(db: Queryable): Promise<void> {
  await db.query('update object_deletions set due_at = least(due_at, clock_timestamp()) where attempts = -1');
  await db.query(`update uploads set lease_owner = null, lease_until = null where lease_owner is not null`);
}

export interface Progress {
  offset: number;
  staged: Record<string, unknown> | null;
  size: number | null;
  /** When what is staged may be collected, in ms since the epoch. */
  expiresAt: number;
}

/** Saves how far an upload is; with `release` others may write next. `false`: the lease is lost, nothing was saved. */
export async function saveProgress(
  db: Queryable,
  id: UploadId,
  lease: Lease,
  progress: Progress,
  release: boolean,
): Promise<boolean> {
  const { rowCount } = await db.query({
    name: 'save_upload_progress',
    text: `update uploads set "offset" = $4, staged = $5, size = $6, expires_at = to_timestamp($7::float8 / 1000),
        collect_after = to_timestamp($7::float8 / 1000),
        lease_owner = case when $8 then null else lease_owner end,
        lease_until = case when $8 then null else clock_timestamp() + make_interval(secs => $9) end
      where id = $1 and lease_owner = $2 and lease_fence = $3 and status = 'open'`,
    values: [
      id,
      lease.owner,
      lease.fence,
      progress.offset,
      progress.staged ? JSON.stringify(progress.staged) : null,
      progress.size,
      progress.expiresAt,
      release,
      LEASE_SECONDS,
    ],
  });
  return rowCount === 1;
}

/** Changes what will become of an upload. `false`: the lease is lost. */
export async function reviseUpload(
  db: Queryable,
  id: UploadId,
  lease: Lease,
  revised: Pick<UploadRow, 'path' | 'visibility' | 'metadata'>,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `update uploads set path = $4, visibility = $5, metadata = $6
     where id = $1 and lease_owner = $2 and lease_fence = $3 and status = 'open'`,
    [
      id,
      lease.owner,
      lease.fence,
      revised.path,
      revised.visibility,
      revised.metadata && JSON.stringify(revised.metadata),
    ],
  );
  return rowCount === 1;
}

/** Ends an open upload; its staged bytes are due for collection. `false`: it had ended, or another holds the lease. */
export async function endUpload(
  db: Queryable,
  id: UploadId,
  lease: Lease,
  status: 'aborted' | 'expired',
  now: number,
): Promise<boolean> {
  // Who gives one up is recorded, and told by what records it; that one is over tells only this.
  const told =
    status === 'aborted'
      ? 'select count(*)::int as count from ended'
      : `, happened as (${uploadTold({ type: 'upload.expired', from: 'ended' })}), ${queueEvents('happened')}
         select (select count(*)::int from ended) as count, ${WOKEN}`;
  const { rows } = await db.query<{ count: number }>(
    `with ended as (
       update uploads set status = $4, lease_owner = null, lease_until = null, collect_after = to_timestamp($5::float8 / 1000)
       where id = $1 and lease_owner = $2 and lease_fence = $3 and status = 'open'
       returning id, project_id, tenant_id, door, door_state, path, size, created_by, to_timestamp($5::float8 / 1000) as at
     ) ${told}`,
    [id, lease.owner, lease.fence, status, now],
  );
  return rows[0]?.count === 1;
}

/** Open uploads of a project, newest first, by keyset on the id (ids sort by time). */
export async function listOpenUploads(
  db: Queryable,
  projectId: ProjectId,
  page: { limit: number; before?: UploadId; tenantId: string | null; pathPrefix: string; fingerprint?: string },
  now: number,
): Promise<UploadRow[]> {
  const { rows } = await db.query<UploadRow>(
    `select ${UPLOAD_COLUMNS} from uploads u where u.project_id = $1 and u.status = 'open'
       and u.expires_at > to_timestamp($4::float8 / 1000) and ($3::text is null or u.id < $3)
       and ($5::text is null or u.tenant_id = $5) and ($6 = '' or starts_with(u.path, $6 || '/'))
       and ($7::text is null or u.door_state->>'fingerprint' = $7) order by u.id desc limit $2`,
    [projectId, page.limit, page.before ?? null, now, page.tenantId, page.pathPrefix, page.fingerprint ?? null],
  );
  return rows;
}

/** Saves where a direct upload is staged, once. */
export async function saveStaged(db: Queryable, id: UploadId, staged: Record<string, unknown>): Promise<void> {
  await db.query(`update uploads set staged = $2 where id = $1 and status = 'open' and staged is null`, [
    id,
    JSON.stringify(staged),
  ]);
}

/** Lets open uploads end no later than `at`, in ms since the epoch. */
export async function expireUploads(db: Queryable, ids: UploadId[], at: number): Promise<void> {
  await db.query(
    `update uploads set expires_at = least(expires_at, to_timestamp($2::float8 / 1000)),
       collect_after = least(collect_after, to_timestamp($2::float8 / 1000)) where id = any($1) and status = 'open'`,
    [ids, at],
  );
}

/** Tries again later: the bucket did not let go of what is staged. */
export async function postponeCollection(db: Queryable, id: UploadId, until: number): Promise<void> {
  await db.query(
    `update uploads set collect_after = to_timestamp($2::float8 / 1000) where id = $1 and collect_after is not null`,
    [id, until],
  );
}

/** Says that nothing is staged any more for an upload that ended. */
export async function markCollected(db: Queryable, id: UploadId): Promise<void> {
  await db.query(`update uploads set collect_after = null, staged = null where id = $1 and status <> 'open'`, [id]);
}

/** Uploads whose staged bytes are due for removal and that nobody writes to. */
export async function findCollectable(db: Queryable, now: number, limit: number): Promise<UploadRow[]> {
  const { rows } = await db.query<UploadRow>(
    `select ${UPLOAD_COLUMNS} from uploads u where u.collect_after <= to_timestamp($1::float8 / 1000)
       and (u.lease_owner is null or u.lease_until <= clock_timestamp()) order by u.collect_after limit $2`,
    [now, limit],
  );
  return rows;
}

/** Forgets uploads that ended before `before` (ms since the epoch) and left nothing behind. */
export async function forgetEndedUploads(db: Queryable, before: number): Promise<void> {
  await db.query(
    `delete from uploads where status <> 'open' and collect_after is null and expires_at < to_timestamp($1::float8 / 1000)`,
    [before],
  );
}
