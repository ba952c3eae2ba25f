import { createHash } from 'node:crypto';
import { CarcosaError, isCarcosaError } from '@carcosa/kernel';
import type { StagedRef, StageInput } from '../../port.ts';
import { type CopySource, copyParts } from './copy.ts';
import { Multipart } from './multipart.ts';
import { openBody } from './object-body.ts';
import { PartBuffer } from './part-buffer.ts';
import { PartLog } from './part-log.ts';
import { choosePartSize } from './part-size.ts';
import { S3StagedObject, type StagedStart, type StagingContext } from './staged-object.ts';
import { parseStagedState, partCount, type StagedState } from './staged-state.ts';
import { cutTail, loadTail, saveTail } from './tail.ts';
import { isFrom, type Writer, writerMetadata } from './verified-put.ts';

/** Begins an object. Of more than one part it has its multipart upload from the start: all writers to come share that one. */
export async function stageObject(context: StagingContext, input: StageInput, writerId: string): Promise<S3StagedObject> {
  const { api, layout } = context;
  const { uploadId, key, size, contentType } = input;
  layout.staging(uploadId);
  const writer: Writer = { uploadId, generation: 0, id: writerId };
  const partSize = choosePartSize(size, api.config.partSize);
  const single = size !== null && size <= partSize;
  const objectKey = layout.object(key);
  const id = single ? null : await api.createMultipart(objectKey, { contentType, metadata: writerMetadata({ uploadId }) });
  const multipart = id === null ? null : new Multipart(api, objectKey, id, PartLog.empty());
  const state: StagedState = {
    kind: 'staged',
    uploadId,
    key,
    contentType,
    size,
    partSize,
    generation: 0,
    writer: writerId,
    length: 0,
    multipart: id,
    parts: { runs: [[1, 0]], chain: '' },
    tail: [],
    stale: [],
    head: null,
    whole: false,
  };
  const part = new PartBuffer(0, partSize);
  return new S3StagedObject(context, { state, writer, part, multipart, hash: createHash('sha256'), head: null });
}

/** Continues an object from the state that its row holds; see the port. */
export async function resumeObject(
  context: StagingContext,
  ref: StagedRef,
  at: { durable: number; takeover: boolean },
  writerId: string,
): Promise<S3StagedObject> {
  const saved = parseStagedState(ref);
  const writer: Writer = { uploadId: saved.uploadId, generation: saved.generation + 1, id: writerId };
  if (at.durable > saved.length) throw lost(saved, at.durable);
  const parked = context.parked.take(saved.writer, at.durable);
  const known = { writer, hash: parked?.hash ?? (at.durable === 0 ? createHash('sha256') : null), head: parked?.head ?? null };
  const open = saved.whole ? null : await openStaged(context, saved, at);
  if (open) return new S3StagedObject(context, { ...open, ...known });
  // What was staged has become the object, but nobody could tell the row of it: by a crash, or by a writer who was fenced.
  return new S3StagedObject(context, { ...(await reopenWhole(context, saved, at.durable, writer)), ...known });
}

type Opened = Pick<StagedStart, 'state' | 'part' | 'multipart'>;

/** `null` when parts or tail are not there (any more). */
async function openStaged(
  { api, layout }: StagingContext,
  saved: StagedState,
  at: { durable: number; takeover: boolean },
): Promise<Opened | null> {
  const objectKey = layout.object(saved.key);
  const parts = partCount(saved);
  const start = Math.min(parts * saved.partSize, saved.length);
  if (at.durable < start) throw new CarcosaError('internal_error', { message: 'The offset of an upload is older than its ref.' });
  const tail = cutTail(saved.tail, at.durable - start);
  const [held, bytes] = await Promise.all([
    saved.multipart === null ? [] : api.listParts(objectKey, saved.multipart),
    loadTail(api, tail, at.durable - start).catch(nullIfGone),
  ]);
  if (!held || !bytes) return null;
  const log = PartLog.restore(saved.parts, held, { partSize: saved.partSize, length: start });
  if (at.takeover) log.skipBeyond(held, saved.size === null ? 0 : Math.ceil((saved.size - start) / saved.partSize));
  const part = new PartBuffer(parts, saved.partSize);
  part.append(bytes);
  return {
    state: { ...saved, length: at.durable, tail, parts: log.snapshot(parts) },
    part,
    multipart: saved.multipart === null ? null : new Multipart(api, objectKey, saved.multipart, log),
  };
}

/** @throws CarcosaError `not_found` when the object under the key is not that upload's */
async function reopenWhole(context: StagingContext, saved: StagedState, durable: number, writer: Writer): Promise<Opened> {
  const { api, layout } = context;
  const objectKey = layout.object(saved.key);
  const head = await api.head(objectKey);
  if (!head || !isFrom(head, saved.uploadId) || head.size < durable) throw new CarcosaError('not_found');
  const empty = new PartBuffer(0, saved.partSize);
  if (head.size === durable) return { state: { ...saved, length: durable, whole: true }, part: empty, multipart: null };
  // The row was told of less than the object holds: take it apart again, up to there.
  const source = { key: objectKey, etag: head.etag };
  const count = saved.multipart === null ? 0 : Math.floor(durable / saved.partSize);
  const multipart = saved.multipart === null ? null : await copyToNewMultipart(context, saved, source, count);
  const part = new PartBuffer(count, saved.partSize);
  const start = count * saved.partSize;
  if (durable > start) {
    const range = { start, end: durable - 1 };
    for await (const chunk of await openBody(api, objectKey, { range })) part.append(chunk);
  }
  const key = `${layout.staging(saved.uploadId)}${writer.id}-reopened`;
  const tail = part.length > 0 ? await saveTail(api, part, [], { length: part.length, key }) : [];
  const parts = multipart?.log.snapshot(count) ?? saved.parts;
  const state = { ...saved, length: durable, multipart: multipart?.id ?? null, parts, tail, stale: [], head: null, whole: false };
  return { state, part, multipart };
}

async function copyToNewMultipart(
  { api }: StagingContext,
  saved: StagedState,
  source: CopySource,
  count: number,
): Promise<Multipart> {
  const { uploadId, contentType, partSize } = saved;
  const id = await api.createMultipart(source.key, { contentType, metadata: writerMetadata({ uploadId }) });
  const etags = await copyParts(api, source, { key: source.key, id }, { count, partSize, size: count * partSize });
  const log = PartLog.empty();
  for (const etag of etags) log.settle(log.reserve().index, etag);
  return new Multipart(api, source.key, id, log);
}

function lost(saved: StagedState, durable: number): CarcosaError {
  return new CarcosaError('storage_unavailable', {
    message: `The bucket has lost acknowledged bytes of an upload: ${saved.length} of ${durable} are there.`,
    retryable: false,
  });
}

function nullIfGone(error: unknown): null {
  if (isCarcosaError(error, 'not_found')) return null;
  throw error;
}
