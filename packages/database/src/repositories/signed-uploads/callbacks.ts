import type { ApiKeyId, CallbackId, ProjectId, UploadId } from '@carcosa/kernel';
import type { CallbackState } from '../../schema/signed-uploads.ts';
import type { Queryable } from '../queryable.ts';

/** Seconds for which whoever sends a callback is taken for alive: longer than a receiver has. */
const CLAIM_SECONDS = 120;

/** A row of `callbacks`. */
export interface CallbackRow {
  id: CallbackId;
  projectId: ProjectId;
  uploadId: UploadId;
  fileKey: string;
  hook: 'callback' | 'error';
  url: string;
  payload: string;
  apiKeyId: ApiKeyId;
  isDev: boolean;
  state: CallbackState;
  attempts: number;
  nextAt: Date;
  lastAt: Date | null;
  lastStatus: number | null;
  lastError: string | null;
  result: unknown;
  resultError: string | null;
  answeredAt: Date | null;
  createdAt: Date;
}

const COLUMNS = `id, project_id as "projectId", upload_id as "uploadId", file_key as "fileKey", hook, url, payload, api_key_id as "apiKeyId",
  is_dev as "isDev", state, attempts, next_at as "nextAt", last_at as "lastAt", last_status as "lastStatus", last_error as "lastError",
  result, result_error as "resultError", answered_at as "answeredAt", created_at as "createdAt"`;

export type NewCallback = Pick<
  CallbackRow,
  'id' | 'projectId' | 'uploadId' | 'fileKey' | 'hook' | 'url' | 'payload' | 'apiKeyId' | 'isDev'
>;

/** One for each upload and hook. @returns false where there is one already */
export async function insertCallback(tx: Queryable, row: NewCallback, now: Date): Promise<boolean> {
  const { rowCount } = await tx.query(
    `insert into callbacks (id, project_id, upload_id, file_key, hook, url, payload, api_key_id, is_dev, state, next_at, created_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'pending', $10, $10) on conflict (upload_id, hook) do nothing`,
    [
      ...[row.id, row.projectId, row.uploadId, row.fileKey, row.hook, row.url, row.payload, row.apiKeyId, row.isDev],
      now,
    ],
  );
  return rowCount === 1;
}

export async function findCallback(db: Queryable, id: CallbackId): Promise<CallbackRow | null> {
  const { rows } = await db.query<CallbackRow>(`select ${COLUMNS} from callbacks where id = $1`, [id]);
  return rows[0] ?? null;
}

/** What was made of that upload; null while there is none. */
export async function findCallbackOf(
  db: Queryable,
  uploadId: UploadId,
  hook: CallbackRow['hook'],
): Promise<CallbackRow | null> {
  const { rows } = await db.query<CallbackRow>(`select ${COLUMNS} from callbacks where upload_id = $1 and hook = $2`, [
    uploadId,
    hook,
  ]);
  return rows[0] ?? null;
}

/** Newest first, one more than `limit`, by keyset. */
export async function listCallbacks(
  db: Queryable,
  of: {
    projectId: ProjectId;
    state: CallbackState | undefined;
    fileKey: string | undefined;
    before: string | undefined;
    limit: number;
  },
): Promise<CallbackRow[]> {
  const { rows } = await db.query<CallbackRow>(
    `select ${COLUMNS} from callbacks where project_id = $1 and ($2::text is null or state = $2)
       and ($3::text is null or file_key = $3) and ($4::text is null or id < $4) order by id desc limit $5`,
    [of.projectId, of.state ?? null, of.fileKey ?? null, of.before ?? null, of.limit + 1],
  );
  return rows;
}

/** Callbacks of these keys that wait for the app's stream, oldest first. */
export async function listWaitingForStream(
  db: Queryable,
  projectId: ProjectId,
  keys: readonly string[],
): Promise<CallbackRow[]> {
  const { rows } = await db.query<CallbackRow>(
    `select ${COLUMNS} from callbacks where project_id = $1 and file_key = any($2) and is_dev and state = 'pending' order by id`,
    [projectId, keys],
  );
  return rows;
}

/** The right to make the next attempt, by a request or by a stream; null when it is done, not due, or somebody else has it. */
export async function claimCallback(
  db: Queryable,
  id: CallbackId,
  by: { isDev: boolean; now: Date },
): Promise<CallbackRow | null> {
  const { rows } = await db.query<CallbackRow>(
    `update callbacks set claimed_until = clock_timestamp() + make_interval(secs => $3)
     where id = $1 and is_dev = $4 and state = 'pending' and next_at <= $2 and coalesce(claimed_until < clock_timestamp(), true)
     returning ${COLUMNS}`,
    [id, by.now, CLAIM_SECONDS, by.isDev],
  );
  return rows[0] ?? null;
}

export interface CallbackAttempt {
  state: CallbackState;
  at: Date;
  status: number | null;
  /** Null for one that was taken. */
  error: string | null;
  nextAt: Date;
}

/** Writes down an attempt, and gives the right to the next one back. */
export async function recordCallbackAttempt(tx: Queryable, id: CallbackId, attempt: CallbackAttempt): Promise<void> {
  await tx.query(
    `update callbacks set state = case when state = 'delivered' then state else $2 end, attempts = attempts + 1, last_at = $3,
       last_status = $4, last_error = $5, next_at = $6, claimed_until = null where id = $1`,
    [id, attempt.state, attempt.at, attempt.status, attempt.error, attempt.nextAt],
  );
}

/** Makes a callback due again, whatever became of it. */
export async function reopenCallback(tx: Queryable, id: CallbackId, now: Date): Promise<CallbackRow | null> {
  const { rows } = await tx.query<CallbackRow>(
    `update callbacks set state = 'pending', attempts = 0, next_at = $2, claimed_until = null, is_dev = false where id = $1 returning ${COLUMNS}`,
    [id, now],
  );
  return rows[0] ?? null;
}

/** What the app made of the newest upload of a key. False when it was asked about none. */
export async function answerCallback(
  tx: Queryable,
  of: { projectId: ProjectId; fileKey: string },
  answer: { result: unknown; error: string | null },
  now: Date,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `update callbacks set result = $3, result_error = $4, answered_at = $5
     where id = (select id from callbacks where project_id = $1 and file_key = $2 and hook = 'callback' order by id desc limit 1)`,
    [of.projectId, of.fileKey, answer.result === undefined ? null : JSON.stringify(answer.result), answer.error, now],
  );
  return rowCount === 1;
}

/** Callbacks that are due while nobody does anything: what a crash left. */
export async function listOverdueCallbacks(db: Queryable, before: Date, limit: number): Promise<CallbackId[]> {
  const { rows } = await db.query<{ id: CallbackId }>(
    `select id from callbacks where state = 'pending' and not is_dev and next_at < $1
       and coalesce(claimed_until < clock_timestamp(), true) order by next_at limit $2`,
    [before, limit],
  );
  return rows.map(({ id }) => id);
}
