import type { ApiKeyId, FileId, ProjectId, UploadId } from '@carcosa/kernel';
import type { SignedUploadState } from '../../schema/signed-uploads.ts';
import type { Queryable } from '../queryable.ts';

/** Channel on which `{projectId, key}` is announced when an app has told of a key, or something became of it. */
export const SIGNED_UPLOADS_CHANNEL = 'carcosa_signed_uploads';

/** A row of `signed_uploads`. Instants in milliseconds since the epoch. */
export interface SignedUploadRow {
  projectId: ProjectId;
  key: string;
  state: SignedUploadState;
  error: string | null;
  apiKeyId: ApiKeyId | null;
  signature: string | null;
  uploadId: UploadId | null;
  fileId: FileId | null;
  customId: string | null;
  name: string | null;
  /** Bytes. */
  size: number | null;
  type: string | null;
  slug: string | null;
  lastModified: number | null;
  metadata: Record<string, unknown> | null;
  callbackUrl: string | null;
  isDev: boolean;
  awaitServerData: boolean;
  createdAt: number;
}

const COLUMNS = `s.project_id as "projectId", s.key, s.state, s.error, s.api_key_id as "apiKeyId", s.signature, s.upload_id as "uploadId",
  s.file_id as "fileId", s.custom_id as "customId", s.name, s.size, s.type, s.slug, s.last_modified as "lastModified", s.metadata,
  s.callback_url as "callbackUrl", s.is_dev as "isDev", s.await_server_data as "awaitServerData",
  (extract(epoch from s.created_at) * 1000)::float8 as "createdAt"`;

/** With `lock` until the transaction ends. */
export async function findSignedUpload(
  db: Queryable,
  place: { projectId: ProjectId; key: string },
  lock = false,
): Promise<SignedUploadRow | null> {
  const { rows } = await db.query<SignedUploadRow>(
    `select ${COLUMNS} from signed_uploads s where s.project_id = $1 and s.key = $2 ${lock ? 'for update' : ''}`,
    [place.projectId, place.key],
  );
  return rows[0] ?? null;
}

export type NewSignedUpload = Pick<SignedUploadRow, 'projectId' | 'key' | 'customId' | 'lastModified' | 'slug'> & {
  apiKeyId: ApiKeyId;
  signature: string;
  uploadId: UploadId;
  name: string;
  size: number;
  type: string;
};

/**
 * Makes `uploadId` the upload of that key, unless somebody was faster.
 * @param former the upload that the key had when it was looked at; null for none
 * @returns null when it has another one by now
 */
export async function beginSignedUpload(
  db: Queryable,
  row: NewSignedUpload,
  former: UploadId | null,
  now: Date,
): Promise<SignedUploadRow | null> {
  const { rows } = await db.query<SignedUploadRow>(
    `insert into signed_uploads as s (project_id, key, state, api_key_id, signature, upload_id, custom_id, name, size, type, slug,
       last_modified, created_at, updated_at)
     values ($1, $2, 'uploading', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12)
     on conflict (project_id, key) do update set state = 'uploading', error = null, api_key_id = excluded.api_key_id,
       signature = excluded.signature, upload_id = excluded.upload_id, custom_id = coalesce(excluded.custom_id, s.custom_id),
       name = excluded.name, size = excluded.size, type = excluded.type, slug = excluded.slug,
       last_modified = excluded.last_modified, updated_at = excluded.updated_at
     where s.upload_id is not distinct from $13
     returning ${COLUMNS}`,
    [
      ...[row.projectId, row.key, row.apiKeyId, row.signature, row.uploadId, row.customId, row.name, row.size],
      ...[row.type, row.slug, row.lastModified, now, former],
    ],
  );
  return rows[0] ?? null;
}

/** What an app tells of keys that it gave out. */
export interface Registration {
  projectId: ProjectId;
  keys: readonly string[];
  apiKeyId: ApiKeyId;
  metadata: Record<string, unknown>;
  callbackUrl: string;
  isDev: boolean;
  awaitServerData: boolean;
}

/** Keeps it for each key, whether or not anything of it has arrived yet, and wakes who waits for it. */
export async function registerSignedUploads(tx: Queryable, of: Registration, now: Date): Promise<SignedUploadRow[]> {
  const { rows } = await tx.query<SignedUploadRow>(
    `insert into signed_uploads as s (project_id, key, state, api_key_id, metadata, callback_url, is_dev, await_server_data, created_at, updated_at)
     select $1, k.key, 'waiting', $3, $4, $5, $6, $7, $8, $8 from unnest($2::text[]) as k(key) order by k.key
     on conflict (project_id, key) do update set api_key_id = excluded.api_key_id, metadata = excluded.metadata,
       callback_url = excluded.callback_url, is_dev = excluded.is_dev, await_server_data = excluded.await_server_data
     returning ${COLUMNS}`,
    [
      ...[of.projectId, [...new Set(of.keys)], of.apiKeyId, JSON.stringify(of.metadata), of.callbackUrl, of.isDev],
      ...[of.awaitServerData, now],
    ],
  );
  await announceSignedUploads(tx, of.projectId, of.keys);
  return rows;
}

/**
 * Ends the upload of a key: once, and only while it is still the one of that key.
 * @returns null when it was ended before, or the key has another upload
 */
export async function settleSignedUpload(
  tx: Queryable,
  of: { projectId: ProjectId; key: string; uploadId: UploadId | null },
  outcome: { state: 'uploaded'; fileId: FileId } | { state: 'failed'; error: string },
  now: Date,
): Promise<SignedUploadRow | null> {
  const fileId = outcome.state === 'uploaded' ? outcome.fileId : null;
  const error = outcome.state === 'failed' ? outcome.error : null;
  const { rows } = await tx.query<SignedUploadRow>(
    `update signed_uploads s set state = $4, file_id = coalesce($5, s.file_id), error = $6, updated_at = $7
     where s.project_id = $1 and s.key = $2 and s.upload_id is not distinct from $3 and s.state in ('waiting', 'uploading')
     returning ${COLUMNS}`,
    [of.projectId, of.key, of.uploadId, outcome.state, fileId, error, now],
  );
  if (rows[0]) await announceSignedUploads(tx, of.projectId, [of.key]);
  return rows[0] ?? null;
}

export interface Unsettled {
  row: SignedUploadRow;
  /** Of the upload; null where nothing was ever sent. */
  status: 'open' | 'completed' | 'aborted' | 'expired' | null;
}

/**
 * Uploads that have ended while nobody settled them (the process died in between), and keys of which nothing arrived since `before`;
 * at most `limit`.
 */
export async function listUnsettled(
  db: Queryable,
  options: { before: Date; settledBefore: Date; limit: number },
): Promise<Unsettled[]> {
  const { rows } = await db.query<SignedUploadRow & { status: Unsettled['status'] }>(
    `select ${COLUMNS}, u.status from signed_uploads s left join uploads u on u.id = s.upload_id
     where s.state in ('waiting', 'uploading')
       and ((u.id is null and s.updated_at < $1) or (u.status <> 'open' and s.updated_at < $2)
         or (u.status = 'open' and u.expires_at < $1))
     order by s.updated_at limit $3`,
    [options.before, options.settledBefore, options.limit],
  );
  return rows.map(({ status, ...row }) => ({ row, status }));
}

/** Wakes who waits for something to become of these keys. */
export async function announceSignedUploads(
  tx: Queryable,
  projectId: ProjectId,
  keys: readonly string[],
): Promise<void> {
  await tx.query(
    `select pg_notify($1, json_build_object('projectId', $2::text, 'key', k.key)::text) from unnest($3::text[]) as k(key)`,
    [SIGNED_UPLOADS_CHANNEL, projectId, [...keys]],
  );
}
