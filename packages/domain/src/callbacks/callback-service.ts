import type { Callback, ListCallbacksQuery, Page } from '@carcosa/contracts';
import {
  announceSignedUploads,
  answerCallback,
  type CallbackRow,
  claimCallback,
  findCallback,
  insertCallback,
  listCallbacks,
  listOverdueCallbacks,
  listWaitingForStream,
  type NewCallback,
  type Queryable,
  recordCallbackAttempt,
  reopenCallback,
} from '@carcosa/database';
import {
  type CallbackId,
  CarcosaError,
  type Clock,
  type IdGenerator,
  isCarcosaError,
  isId,
  type Logger,
  type ProjectId,
  type Random,
} from '@carcosa/kernel';
import { type Access, projectOf } from '../access/access.ts';
import { type Actor, SYSTEM } from '../access/actor.ts';
import type { SigningKeys } from '../api-keys/signing-keys.ts';
import { record } from '../audit/record.ts';
import { afterId, pageOf } from '../lists.ts';
import { retryDelay } from '../webhooks/schedule.ts';
import type { WebhookSender } from '../webhooks/sender.ts';
import { callbackView } from './callback-view.ts';

/** Milliseconds after which the job looks whether the process that made a callback has sent it. */
const BACKSTOP_MS = 90_000;
/** Callbacks that one round of the backstop sends. */
const ROUND = 100;

export interface CallbackServiceParts {
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  clock: Clock;
  random: Random;
  ids: IdGenerator;
  logger: Logger;
  access: Access;
  signingKeys: SigningKeys;
  sender: Pick<WebhookSender, 'post'>;
  /** Makes the job `deliver-callback`, in `tx`, due after so many seconds. */
  deliverLater(tx: Queryable, id: CallbackId, startAfter: number): Promise<void>;
}

/** What an app's stream is given of one callback. */
export interface StreamPart {
  payload: string;
  signature: string;
  hook: CallbackRow['hook'];
}

/**
 * Tells apps what became of uploads that they let happen: each word is a row, written with what it tells of, sent at once by the process
 * that wrote it, and again by a job for as long as the schedule of webhooks says. What is given up stays, with its reason, and can be
 * sent again.
 */
export class CallbackService {
  readonly #parts: CallbackServiceParts;
  readonly #running = new Set<Promise<void>>();
  readonly #closing = new AbortController();

  constructor(parts: CallbackServiceParts) {
    this.#parts = parts;
  }

  /** Writes a callback, in the transaction of what it tells of. @returns its id; null where that was told before */
  async make(tx: Queryable, callback: Omit<NewCallback, 'id'>): Promise<CallbackId | null> {
    const { ids, clock, deliverLater } = this.#parts;
    const id = ids.next('callback');
    if (!(await insertCallback(tx, { ...callback, id }, new Date(clock.now())))) return null;
    if (!callback.isDev) await deliverLater(tx, id, BACKSTOP_MS / 1000);
    return id;
  }

  /** Sends a callback that is committed, without being waited for. */
  begin(id: CallbackId | null): void {
    if (id === null || this.#closing.signal.aborted) return;
    const sending = this.deliver(id)
      .catch((error: unknown) =>
        this.#parts.logger.warn({ err: error, callbackId: id }, 'a callback is left to its job'),
      )
      .finally(() => this.#running.delete(sending));
    this.#running.add(sending);
  }

  /** One attempt, unless it is done, not due, or somebody else is at it. */
  async deliver(id: CallbackId): Promise<void> {
    const row = await claimCallback(this.#parts.db, id, { isDev: false, now: new Date(this.#parts.clock.now()) });
    if (!row) return;
    const { signingKeys, sender, clock } = this.#parts;
    const at = clock.now();
    try {
      const signature = await signingKeys.sign(row.projectId, row.apiKeyId, row.payload);
      const headers = {
        'content-type': 'application/json',
        'uploadthing-hook': row.hook,
        'x-uploadthing-signature': signature,
        'x-carcosa-callback-id': row.id,
      };
      const answer = await sender.post({ url: row.url, headers, body: row.payload, signal: this.#closing.signal });
      await this.#attempted(row, at, answer);
    } catch (error) {
      if (!isCarcosaError(error, 'forbidden')) throw error;
      await this.#attempted(row, at, { status: null, error: error.message });
    }
  }

  /** What crashes have left: for the round of a job. */
  async deliverOverdue(): Promise<void> {
    const { db, clock } = this.#parts;
    const before = new Date(clock.now() - BACKSTOP_MS);
    for (const id of await listOverdueCallbacks(db, before, ROUND)) await this.deliver(id);
  }

  /** What waits for the stream of an app, which counts as delivered with this. */
  async takeForStream(projectId: ProjectId, keys: readonly string[]): Promise<(StreamPart & { fileKey: string })[]> {
    const { db, clock, signingKeys } = this.#parts;
    const parts: (StreamPart & { fileKey: string })[] = [];
    for (const waiting of await listWaitingForStream(db, projectId, keys)) {
      const row = await claimCallback(db, waiting.id, { isDev: true, now: new Date(clock.now()) });
      if (!row) continue;
      const signature = await signingKeys.sign(projectId, row.apiKeyId, row.payload);
      await this.#attempted(row, clock.now(), { status: null, error: null });
      parts.push({ payload: row.payload, signature, hook: row.hook, fileKey: row.fileKey });
    }
    return parts;
  }

  /** What the app made of an upload. @throws CarcosaError `not_found` for a key that nobody has told it of */
  async answer(
    projectId: ProjectId,
    fileKey: string,
    answer: { result: unknown; error: string | null },
  ): Promise<void> {
    const { transaction, clock } = this.#parts;
    await transaction(async (tx) => {
      if (!(await answerCallback(tx, { projectId, fileKey }, answer, new Date(clock.now()))))
        throw new CarcosaError('not_found');
      await announceSignedUploads(tx, projectId, [fileKey]);
    });
  }

  async list(actor: Actor, query: ListCallbacksQuery): Promise<Page<Callback>> {
    const projectId = projectOf(actor, query.projectId);
    await this.#parts.access.authorizeWhole(actor, 'projects:read', projectId);
    const before = afterId('callbacks', query.cursor);
    const { state, fileKey, limit } = query;
    const rows = await listCallbacks(this.#parts.db, { projectId, state, fileKey, before, limit });
    return pageOf('callbacks', rows, limit, callbackView);
  }

  async get(actor: Actor, id: string): Promise<Callback> {
    return callbackView(await this.#find(actor, 'projects:read', id));
  }

  /** Sends it anew, whatever became of it before. */
  async replay(actor: Actor, id: string): Promise<Callback> {
    const { transaction, clock, deliverLater } = this.#parts;
    const { projectId, ...found } = await this.#find(actor, 'projects:write', id);
    const reopened = await transaction(async (tx) => {
      const row = await reopenCallback(tx, found.id, new Date(clock.now()));
      if (!row) throw new CarcosaError('not_found');
      const event = {
        resource: { type: 'callback', id },
        place: { projectId },
        before: { state: found.state },
      } as const;
      await record(tx, clock, actor, { ...event, action: 'callback.replay', after: { state: row.state } });
      await deliverLater(tx, row.id, BACKSTOP_MS / 1000);
      return row;
    });
    this.begin(reopened.id);
    return callbackView(reopened);
  }

  /** Ends what is under way; what was not written down is sent again. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#running);
  }

  async #find(actor: Actor, permission: 'projects:read' | 'projects:write', id: string): Promise<CallbackRow> {
    const row = isId('callback', id) ? await findCallback(this.#parts.db, id) : null;
    if (!row) throw new CarcosaError('not_found');
    await this.#parts.access.authorizeWhole(actor, permission, row.projectId);
    return row;
  }

  async #attempted(row: CallbackRow, at: number, { status, error }: { status: number | null; error: string | null }) {
    const { transaction, random, clock, deliverLater } = this.#parts;
    const delay = error === null ? null : retryDelay(row.attempts + 1, random);
    const state = error === null ? 'delivered' : delay === null ? 'failed' : 'pending';
    const nextAt = new Date(clock.now() + (delay ?? 0));
    await transaction(async (tx) => {
      await recordCallbackAttempt(tx, row.id, { state, at: new Date(at), status, error, nextAt });
      if (state === 'pending' && delay !== null) await deliverLater(tx, row.id, Math.ceil(delay / 1000));
      if (state === 'failed') {
        const about = { resource: { type: 'callback', id: row.id }, place: { projectId: row.projectId } } as const;
        const after = { fileKey: row.fileKey, hook: row.hook, attempts: row.attempts + 1, reason: error };
        await record(tx, clock, SYSTEM, { ...about, action: 'callback.fail', after });
      }
      await announceSignedUploads(tx, row.projectId, [row.fileKey]);
    });
  }
}
