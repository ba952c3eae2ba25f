import type { FileFacts, FileFactsDetail, FileLocation } from '@carcosa/contracts';
import type { BucketId, FileId, ObjectId, ProjectId, TenantId } from '@carcosa/kernel';
import type { Queryable } from '../queryable.ts';

/** A content that facts are read of, and where its bytes are. */
export interface MediaObjectRow {
  id: ObjectId;
  projectId: ProjectId;
  bucketId: BucketId;
  storageKey: string;
  /** Bytes. */
  size: number;
  contentType: string;
  /** Null: it may be looked into. */
  quarantine: string | null;
}

/** What is stored of a content. */
export interface NewFacts {
  objectId: ObjectId;
  projectId: ProjectId;
  facts: FileFacts;
  location: FileLocation | null;
  text: string | null;
  /** The dominant colour in CIE L*a*b*. */
  lab: readonly [number, number, number] | null;
  /** Milliseconds since the epoch. */
  now: number;
}

export async function findMediaObject(db: Queryable, id: ObjectId): Promise<MediaObjectRow | null> {
  const { rows } = await db.query<MediaObjectRow>(
    `select id, project_id as "projectId", bucket_id as "bucketId", storage_key as "storageKey", size, content_type as "contentType", quarantine
     from objects where id = $1`,
    [id],
  );
  return rows[0] ?? null;
}

/** Whether facts of a content are stored. */
export async function hasFacts(db: Queryable, id: ObjectId): Promise<boolean> {
  const { rows } = await db.query('select from file_facts where object_id = $1', [id]);
  return rows.length > 0;
}

/** Stores what is known of a content, once. `false`: it was known, or the content is gone. */
export async function insertFacts(tx: Queryable, input: NewFacts): Promise<boolean> {
  const { objectId, projectId, facts, location, text, lab, now } = input;
  const { rowCount } = await tx.query(
    `insert into file_facts (object_id, project_id, facts, location, content, width, height, orientation, duration, pages,
       color_l, color_a, color_b, perceptual_hash, read_at)
     select o.id, $2, $3::jsonb, $4::jsonb, $5, $6, $7, $8, $9, $10, $11, $12, $13, ('x' || $14::text)::bit(64), to_timestamp($15::float8 / 1000)
     from objects o where o.id = $1 for key share on conflict do nothing`,
    [
      ...[objectId, projectId, JSON.stringify(facts), location && JSON.stringify(location), text],
      ...[
        facts.width ?? null,
        facts.height ?? null,
        facts.orientation ?? null,
        facts.duration ?? null,
        facts.pages ?? null,
      ],
      ...[lab?.[0] ?? null, lab?.[1] ?? null, lab?.[2] ?? null, facts.perceptualHash ?? null, now],
    ],
  );
  return rowCount === 1;
}

/** All that is known of the present content of a file. */
export async function findFacts(db: Queryable, id: FileId): Promise<FileFactsDetail> {
  const { rows } = await db.query<FileFactsDetail>(
    `select x.facts, x.location, x.content as text from files f join file_facts x on x.object_id = f.object_id where f.id = $1`,
    [id],
  );
  return rows[0] ?? { facts: null, location: null, text: null };
}

/** A file whose present content an object is. */
export interface FileOfObject {
  id: FileId;
  projectId: ProjectId;
  tenantId: TenantId | '';
  path: string;
}

/** The files, live or in the trash, whose present content it is: at most 100. */
export async function findFilesOfObject(db: Queryable, id: ObjectId): Promise<FileOfObject[]> {
  const { rows } = await db.query<FileOfObject>(
    `select id, project_id as "projectId", tenant_id as "tenantId", path from files where object_id = $1 order by id limit 100`,
    [id],
  );
  return rows;
}
