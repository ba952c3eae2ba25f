import type { KeyRestrictions, Permission } from '@carcosa/contracts';
import type { ApiKeyId, ProjectId } from '@carcosa/kernel';
import type { Queryable } from './queryable.ts';

/** Channel on which `{id, publicId}` is announced when a key was changed or revoked. */
export const API_KEYS_CHANNEL = 'carcosa_api_keys';

export interface ApiKeyRow {
  id: ApiKeyId;
  publicId: string;
  projectId: ProjectId;
  label: string;
  /** SHA-256 of the secret. */
  secretHash: Buffer;
  permissions: Permission[];
  restrictions: KeyRestrictions;
  limitFactor: number;
  expiresAt: Date | null;
  revokedAt: Date | null;
}

const COLUMNS = `id, public_id as "publicId", project_id as "projectId", label, secret_hash as "secretHash", permissions, restrictions,
  limit_factor as "limitFactor", expires_at as "expiresAt", revoked_at as "revokedAt"`;

/** The key with that public id, revoked or not; null when there is none. */
export async function findApiKey(db: Queryable, publicId: string): Promise<ApiKeyRow | null> {
  const { rows } = await db.query<ApiKeyRow>({
    name: 'find-api-key',
    text: `select ${COLUMNS} from api_keys where public_id = $1`,
    values: [publicId],
  });
  return rows[0] ?? null;
}

export type NewApiKeyRow = Omit<ApiKeyRow, 'revokedAt'> & { createdBy: string | null };

export async function insertApiKey(db: Queryable, row: NewApiKeyRow): Promise<void> {
  await db.query(
    `insert into api_keys (id, public_id, project_id, label, secret_hash, permissions, expires_at, restrictions, limit_factor, created_by, created_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, now())`,
    [
      row.id,
      row.publicId,
      row.projectId,
      row.label,
      row.secretHash,
      row.permissions,
      row.expiresAt,
      JSON.stringify(row.restrictions),
      row.limitFactor,
      row.createdBy,
    ],
  );
}

/** A key as its owners see it. */
export interface ApiKeyView extends Omit<ApiKeyRow, 'secretHash'> {
  createdBy: string | null;
  rotatedTo: ApiKeyId | null;
  /** Whether it may sign addresses. */
  signs: boolean;
  lastUsedAt: Date | null;
  createdAt: Date;
}

const VIEW = `id, public_id as "publicId", project_id as "projectId", label, permissions, restrictions, limit_factor as "limitFactor",
  expires_at as "expiresAt", revoked_at as "revokedAt", created_by as "createdBy", rotated_to as "rotatedTo",
  sealed_token is not null as signs, last_used_at as "lastUsedAt", created_at as "createdAt"`;

export async function findApiKeyById(db: Queryable, id: ApiKeyId, lock = false): Promise<ApiKeyView | null> {
  const { rows } = await db.query<ApiKeyView>(
    `select ${VIEW} from api_keys where id = $1 ${lock ? 'for update' : ''}`,
    [id],
  );
  return rows[0] ?? null;
}

/** Keys of a project, in the order of their ids, one more than `limit`. */
export async function listApiKeys(
  db: Queryable,
  projectId: ProjectId,
  page: { limit: number; after: string | undefined },
): Promise<ApiKeyView[]> {
  const { rows } = await db.query<ApiKeyView>(
    `select ${VIEW} from api_keys where project_id = $1 and ($2::text is null or id > $2) order by id limit $3`,
    [projectId, page.after ?? null, page.limit + 1],
  );
  return rows;
}

export interface ApiKeyChange {
  label?: string | undefined;
  permissions?: readonly Permission[] | undefined;
  restrictions?: KeyRestrictions | undefined;
  /** Null: never. */
  expiresAt?: Date | null | undefined;
  rotatedTo?: ApiKeyId | undefined;
  limitFactor?: number | undefined;
}

/** Changes what is given of a key in force, and tells every node. Null when there is none. */
export async function updateApiKey(tx: Queryable, id: ApiKeyId, change: ApiKeyChange): Promise<ApiKeyView | null> {
  const { rows } = await tx.query<ApiKeyView>(
    `update api_keys set label = coalesce($2, label), permissions = coalesce($3, permissions),
       restrictions = coalesce($4, restrictions), expires_at = case when $5 then $6::timestamptz else expires_at end,
       rotated_to = coalesce($7, rotated_to), limit_factor = coalesce($8, limit_factor)
     where id = $1 and revoked_at is null returning ${VIEW}`,
    [
      id,
      change.label ?? null,
      change.permissions ?? null,
      change.restrictions === undefined ? null : JSON.stringify(change.restrictions),
      change.expiresAt !== undefined,
      change.expiresAt ?? null,
      change.rotatedTo ?? null,
      change.limitFactor ?? null,
    ],
  );
  return await announced(tx, rows[0]);
}

/** Revokes the key and tells every node to forget it. Null when there is no such key in force. */
export async function revokeApiKey(db: Queryable, id: ApiKeyId): Promise<ApiKeyView | null> {
  const { rows } = await db.query<ApiKeyView>(
    `update api_keys set revoked_at = now(), sealed_token = null where id = $1 and revoked_at is null returning ${VIEW}`,
    [id],
  );
  return await announced(db, rows[0]);
}

/** Says when keys were last used, many at once; an older time changes nothing. */
export async function saveKeyUse(db: Queryable, uses: readonly { id: ApiKeyId; at: Date }[]): Promise<void> {
  if (uses.length === 0) return;
  await db.query(
    `update api_keys k set last_used_at = u.at from unnest($1::text[], $2::timestamptz[]) as u(id, at)
     where k.id = u.id and (k.last_used_at is null or k.last_used_at < u.at)`,
    [uses.map(({ id }) => id), uses.map(({ at }) => at)],
  );
}

async function announced(db: Queryable, view: ApiKeyView | undefined): Promise<ApiKeyView | null> {
  if (!view) return null;
  const { id, publicId } = view;
  await db.query('select pg_notify($1, $2)', [API_KEYS_CHANNEL, JSON.stringify({ id, publicId })]);
  return view;
}

/** A key that may sign addresses, with all of it, sealed. */
export interface SigningKeyRow extends ApiKeyRow {
  sealedToken: Buffer;
}

/** The keys in force of a project that may sign addresses, the newest first, at most `limit`. */
export async function listSigningKeys(db: Queryable, projectId: ProjectId, limit: number): Promise<SigningKeyRow[]> {
  const { rows } = await db.query<SigningKeyRow>(
    `select ${COLUMNS}, sealed_token as "sealedToken" from api_keys
     where project_id = $1 and sealed_token is not null and revoked_at is null order by id desc limit $2`,
    [projectId, limit],
  );
  return rows;
}

/** Lets a key sign, and tells every node. @returns false where it does already, or there is none in force */
export async function saveSealedToken(tx: Queryable, id: ApiKeyId, sealed: Buffer): Promise<boolean> {
  const { rows } = await tx.query<ApiKeyView>(
    `update api_keys set sealed_token = $2 where id = $1 and sealed_token is null and revoked_at is null returning ${VIEW}`,
    [id, sealed],
  );
  return (await announced(tx, rows[0])) !== null;
}
