import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { CarcosaError, isCarcosaError } from '@carcosa/kernel';
import type { StagedRef, StageInput } from '../../port.ts';
import { abortAll, Multipart, type MultipartTarget } from './multipart.ts';
import { openBody } from './object-body.ts';
import { PartBuffer } from './part-buffer.ts';
import { choosePartSize } from './part-size.ts';
import { S3StagedObject } from './staged-object.ts';
import type { StagedStart, StagingContext } from './staged-start.ts';
import { parseStagedState, partCount, type StagedState } from './staged-state.ts';
import { cutTail, loadTail, saveTail } from './tail.ts';
import { isFrom, type Writer } from './verified-put.ts';

/**
 * Begins an object. Known to have more than one part, it has its multipart upload from the start, so that all writers to come share
 * that one; of unknown length it gets one when it is seen to need it.
 */
export async function stageObject(
  context: StagingContext,
  input: StageInput,
  writerId: string,
): Promise<S3StagedObject> {
  const { api, layout } = context;
  const { uploadId, key, size, contentType, fence } = input;
  // Refuses a bad name before anything is done.
  layout.staging(uploadId);
  const objectKey = layout.object(key);
  const writer: Writer = { uploadId, generation: fence ?? 0, id: writerId };
  const partSize = choosePartSize(size, api.config.partSize);
  const single = size !== null && size <= partSize;
  const target = { key: objectKey, writer, contentType, partSize };
  const shared = single || size === null ? null : await Multipart.begin(api, target);
  const state: StagedState = {
    kind: 'staged',
    uploadId,
    key,
    contentType,
    size,
    partSize,
    generation: writer.generation,
    writer: writerId,
    length: 0,
    single,
    multipart: (await shared?.id()) ?? null,
    tail: [],
    stale: [],
    head: null,
    whole: false,
  };
  const part = new PartBuffer(0, partSize, context.buffers);
  const multipart = single ? null : (shared ?? new Multipart(api, target));
  return new S3StagedObject(context, { state, writer, part, multipart, hash: createHash('sha256'), head: null });
}

/** Continues an object from the state that its row holds; see the port. */
export async function resumeObject(
  context: StagingContext,
  ref: StagedRef,
  at: { durable: number; takeover: boolean; fence?: number },
  writerId: string,
): Promise<S3StagedObject> {
  const saved = parseStagedState(ref);
  const writer: Writer = { uploadId: saved.uploadId, generation: at.fence ?? saved.generation + 1, id: writerId };
  if (at.durable > saved.length) throw lost(saved, at.durable);
  const parked = context.parked.take(saved.writer, at.durable);
  const known = {
    writer,
    hash: parked?.hash ?? (at.durable === 0 ? createHash('sha256') : null),
    head: parked?.head ?? null,
  };
  const open = saved.whole ? null : await openStaged(context, saved, at, writer);
  return new S3StagedObject(context, {
    ...(open ?? (await openCompleted(context, saved, at, writer))),
    ...known,
  });
}

type Opened = Pick<StagedStart, 'state' | 'part' | 'multipart'>;

/** `null` when parts or tail are not there (any more). */
async function openStaged(
  context: StagingContext,
  saved: StagedState,
  at: { durable: number; takeover: boolean },
  writer: Writer,
): Promise<Opened | null> {
  const { api } = context;
  const target = targetOf(context, saved, writer);
  const count = partCount(saved);
  const start = Math.min(count * saved.partSize, saved.length);
  if (at.durable < start)
    throw new CarcosaError('internal_error', { message: 'The offset of an upload is older than its ref.' });
  const tail = cutTail(saved.tail, at.durable - start);
  const bytes = await loadTail(api, tail, at.durable - start).catch(nullIfGone);
  if (!bytes) return null;
  const state = { ...saved, length: at.durable, tail };
  const part = new PartBuffer(count, saved.partSize, context.buffers);
  part.append(bytes);
  if (saved.single) return { state, part, multipart: null };
  const held = saved.multipart === null ? null : await api.listParts(target.key, saved.multipart);
  if (saved.multipart !== null && held) {
    const from = { id: saved.multipart, held, count, length: start, alone: !at.takeover };
    const multipart = await Multipart.resume(api, target, from);
    return { state: { ...state, multipart: await multipart.id() }, part, multipart };
  }
  if (count > 0) return null;
  // Not begun yet, or ended by somebody who took it over; nothing of ours was in it.
  if (at.takeover) await abortAll(api, target.key);
  return { state: { ...state, multipart: null }, part, multipart: new Multipart(api, target) };
}

/**
 * Continues from the object under the key: it is all, or begins with the parts, of what was staged. So it is after a crash
 * between completing and telling, and where a writer who was fenced has completed what there was.
 * @throws CarcosaError `not_found` when the object under the key is not that upload's
 */
async function openCompleted(
  context: StagingContext,
  saved: StagedState,
  at: { durable: number; takeover: boolean },
  writer: Writer,
): Promise<Opened> {
  const { api, layout } = context;
  const { durable } = at;
  const target = targetOf(context, saved, writer);
  const object = await api.head(target.key);
  if (!object || !isFrom(object, saved.uploadId)) throw new CarcosaError('not_found');
  const count = saved.single ? 0 : Math.floor(durable / saved.partSize);
  const start = count * saved.partSize;
  // The tail, while it is there, is surer than what another writer may have put in its place.
  const kept = partCount(saved) === count ? cutTail(saved.tail, durable - start) : [];
  const keptBytes = kept.length > 0 ? await loadTail(api, kept, durable - start).catch(nullIfGone) : null;
  if (!keptBytes && object.size === durable) {
    return {
      state: { ...saved, length: durable, whole: true },
      part: new PartBuffer(0, saved.partSize, context.buffers),
      multipart: null,
    };
  }
  if (object.size < (keptBytes ? start : durable)) throw new CarcosaError('not_found');
  // Another may have taken it apart already, and not got to saving that.
  if (at.takeover) await abortAll(api, target.key);
  const multipart = saved.single ? null : await Multipart.takeApart(api, target, object, count);
  const part = new PartBuffer(count, saved.partSize, context.buffers);
  const state = { ...saved, length: durable, multipart: (await multipart?.id()) ?? null, whole: false };
  if (keptBytes || durable === start) {
    if (keptBytes) part.append(keptBytes);
    return { state: { ...state, tail: kept }, part, multipart };
  }
  part.append(await buffer(await openBody(api, target.key, { range: { start, end: durable - 1 } })));
  const key = `${layout.staging(saved.uploadId)}${writer.id}-reopened`;
  const tail = await saveTail(api, part, [], { length: part.length, key });
  return { state: { ...state, tail, stale: [], head: null }, part, multipart };
}

function targetOf(
  { layout }: StagingContext,
  { key, contentType, partSize }: StagedState,
  writer: Writer,
): MultipartTarget {
  return { key: layout.object(key), writer, contentType, partSize };
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
