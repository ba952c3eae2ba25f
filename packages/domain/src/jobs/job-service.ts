import type { AuditAction, Job, JobQueueView, ListJobsQuery, Page } from '@carcosa/contracts';
import type { Queryable } from '@carcosa/database';
import { CarcosaError, type Clock, toIsoString } from '@carcosa/kernel';
import type { JobLedger, JobRow } from '@carcosa/queue';
import type { Actor } from '../access/actor.ts';
import { record } from '../audit/record.ts';
import { decodeCursor, encodeCursor } from '../files/cursor.ts';
import { assertServerAdministrator } from '../limits/server-administrator.ts';

export interface JobServiceParts {
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  clock: Clock;
  ledger: JobLedger;
}

const LIST = 'jobs';
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** As PostgreSQL writes an instant. */
const PLACE = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?[+-]\d\d(:\d\d)?$/;

/**
 * Lets administrators of the server see what runs in the background, and bring back what failed. Everybody else is `forbidden`. Throws
 * `overloaded` while the queue is not up.
 */
export class JobService {
  readonly #parts: JobServiceParts;

  constructor(parts: JobServiceParts) {
    this.#parts = parts;
  }

  async queues(actor: Actor): Promise<JobQueueView[]> {
    assertServerAdministrator(actor);
    const queues = await this.#parts.ledger.queues(this.#parts.db);
    return queues.map(({ waitingSince, ...queue }) => ({ ...queue, waitingSince: instant(waitingSince) }));
  }

  /** The newest first. */
  async list(actor: Actor, { queue, state, limit, cursor }: ListJobsQuery): Promise<Page<Job>> {
    assertServerAdministrator(actor);
    const rows = await this.#parts.ledger.list(this.#parts.db, { queue, state, limit, after: afterOf(cursor) });
    const kept = rows.slice(0, limit);
    const last = kept.at(-1);
    const hasMore = rows.length > limit;
    const nextCursor = hasMore && last ? encodeCursor(LIST, [last.place, last.id]) : null;
    return { items: kept.map(viewOf), nextCursor, hasMore };
  }

  /** @throws CarcosaError `not_found` */
  async get(actor: Actor, id: string): Promise<Job> {
    assertServerAdministrator(actor);
    return viewOf(found(UUID.test(id) ? await this.#parts.ledger.find(this.#parts.db, id) : null));
  }

  /** Has a job that failed, or that a dead letter is of, done once more. @throws CarcosaError `not_found`, `conflict` */
  async retry(actor: Actor, id: string): Promise<void> {
    await this.#change(actor, id, 'job.retry', (tx, job) => this.#parts.ledger.retry(tx, job));
  }

  /** @throws CarcosaError `not_found`, `conflict` for one that has ended */
  async cancel(actor: Actor, id: string): Promise<void> {
    await this.#change(actor, id, 'job.cancel', (tx, job) => this.#parts.ledger.cancel(tx, job));
  }

  /** Has all jobs done once more that failed for the last time, or those of one queue. @returns how many */
  async retryAll(actor: Actor, queue: string | undefined): Promise<number> {
    assertServerAdministrator(actor);
    return await this.#parts.transaction(async (tx) => {
      const count = await this.#parts.ledger.retryAll(tx, queue);
      const after = { queue: queue ?? null, jobs: count };
      await record(tx, this.#parts.clock, actor, {
        action: 'job.retry-all',
        resource: { type: 'job', id: null },
        after,
      });
      return count;
    });
  }

  async #change(
    actor: Actor,
    id: string,
    action: AuditAction,
    change: (tx: Queryable, job: JobRow) => Promise<void>,
  ): Promise<void> {
    assertServerAdministrator(actor);
    await this.#parts.transaction(async (tx) => {
      const job = found(UUID.test(id) ? await this.#parts.ledger.find(tx, id, true) : null);
      await change(tx, job);
      const before = { queue: job.queue, state: job.state };
      await record(tx, this.#parts.clock, actor, { action, resource: { type: 'job', id }, before });
    });
  }
}

function afterOf(cursor: string | undefined): { place: string; id: string } | undefined {
  if (cursor === undefined) return undefined;
  const [place, id] = decodeCursor(LIST, cursor, ['', '']);
  if (!PLACE.test(place) || !UUID.test(id)) decodeCursor(LIST, '', ['']);
  return { place, id };
}

function found(job: JobRow | null): JobRow {
  if (!job) throw new CarcosaError('not_found');
  return job;
}

const instant = (date: Date | null): string | null => date && toIsoString(date.getTime());

function viewOf({ place: _, createdAt, startAfter, startedAt, endedAt, ...job }: JobRow): Job {
  return {
    ...job,
    createdAt: toIsoString(createdAt.getTime()),
    startAfter: toIsoString(startAfter.getTime()),
    startedAt: instant(startedAt),
    endedAt: instant(endedAt),
  };
}
