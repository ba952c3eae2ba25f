import type { UploadId } from '@carcosa/kernel';
import type { Queryable } from '../queryable.ts';
import { LEASE_SECONDS } from './uploads-repository.ts';

/** A part that is wholly on stable storage. */
export interface StoredPart {
  partNumber: number;
  size: number;
  etag: string;
}

/**
 * Registers `writer` as the only one who writes that part. `false`: the upload is not open, is being completed, or somebody
 * else writes the part.
 */
export async function beginPart(
  db: Queryable,
  id: UploadId,
  partNumber: number,
  size: number,
  writer: string,
): Promise<boolean> {
  const { rowCount } = await db.query({
    name: 'begin_upload_part',
    text: `insert into upload_parts as p (upload_id, part_number, size, writer, writing_until)
      select u.id, $2, $3, $4, clock_timestamp() + make_interval(secs => $5) from uploads u
      where u.id = $1 and u.status = 'open' and (u.lease_owner is null or u.lease_until <= clock_timestamp()) for share
      on conflict (upload_id, part_number) do update
        set size = excluded.size, etag = null, writer = excluded.writer, writing_until = excluded.writing_until
        where p.writing_until is null or p.writing_until <= clock_timestamp()`,
    values: [id, partNumber, size, writer, LEASE_SECONDS],
  });
  return rowCount === 1;
}

/** The part is on stable storage. `false`: somebody else has begun to write it. */
export async function finishPart(
  db: Queryable,
  id: UploadId,
  partNumber: number,
  writer: string,
  etag: string,
): Promise<boolean> {
  const { rowCount } = await db.query({
    name: 'finish_upload_part',
    text: `update upload_parts set etag = $4, writer = null, writing_until = null
      where upload_id = $1 and part_number = $2 and writer = $3`,
    values: [id, partNumber, writer, etag],
  });
  return rowCount === 1;
}

export async function dropPart(db: Queryable, id: UploadId, partNumber: number, writer: string): Promise<void> {
  await db.query(`delete from upload_parts where upload_id = $1 and part_number = $2 and writer = $3`, [
    id,
    partNumber,
    writer,
  ]);
}

export async function renewPartWriters(db: Queryable, writers: string[]): Promise<void> {
  await db.query(
    `update upload_parts set writing_until = clock_timestamp() + make_interval(secs => $2) where writer = any($1)`,
    [writers, LEASE_SECONDS],
  );
}

/** At a start that knows that no other process uses this database: no part is being written. */
export async function dropUnfinishedParts(db: Queryable): Promise<void> {
  await db.query(`delete from upload_parts where etag is null`);
}

/** The parts that are there, in order, and whether others are being written at this moment. */
export async function findParts(db: Queryable, id: UploadId): Promise<{ parts: StoredPart[]; writing: boolean }> {
  const { rows } = await db.query<{ partNumber: number; size: number; etag: string | null; writing: boolean }>(
    `select part_number as "partNumber", size, etag, coalesce(writing_until > clock_timestamp(), false) as writing
     from upload_parts where upload_id = $1 order by part_number`,
    [id],
  );
  const parts = rows.flatMap(({ partNumber, size, etag }) => (etag === null ? [] : [{ partNumber, size, etag }]));
  return { parts, writing: rows.some((row) => row.writing) };
}
