import type { KeyRestrictions, Permission } from '@carcosa/contracts';
import type { ApiKeyId, ProjectId } from '@carcosa/kernel';
import type { Queryable } from './queryable.ts';

/** Channel on which `{publicId}` is announced when a key was changed or revoked. */
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

/** Revokes the key and tells every node to forget it. False when there is no such key in force. */
export async function revokeApiKey(db: Queryable, id: ApiKeyId): Promise<boolean> {
  const { rows } = await db.query<{ publicId: string }>(
    'update api_keys set revoked_at = now() where id = $1 and revoked_at is null returning public_id as "publicId"',
    [id],
  );
  const revoked = rows[0];
  if (revoked) await db.query('select pg_notify($1, $2)', [API_KEYS_CHANNEL, JSON.stringify(revoked)]);
  return revoked !== undefined;
}
