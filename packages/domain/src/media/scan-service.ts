import {
  arriveAgain,
  findFilesOfObject,
  findMediaObject,
  type MediaObjectRow,
  type Quarantine,
  type Queryable,
  recordAudit,
  setQuarantine,
} from '@carcosa/database';
import { type Clock, isId } from '@carcosa/kernel';
import { SYSTEM } from '../access/actor.ts';
import { auditEntry } from '../audit/audit-entry.ts';
import type { StoreRegistry } from '../buckets/store-registry.ts';

/** What a scan has found. `unscannable`: the scanner does not take it, such as for its size. */
export type ScanVerdict =
  | { readonly result: 'clean' }
  | { readonly result: 'infected'; readonly signature: string }
  | { readonly result: 'unscannable'; readonly reason: string };

/** Looks for viruses. */
export interface VirusScanner {
  /** @throws Error where the scanner does not answer: it is asked again later */
  scan(body: AsyncIterable<Uint8Array>, options: { signal: AbortSignal }): Promise<ScanVerdict>;
}

export interface ScanServiceParts {
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  db: Queryable;
  clock: Clock;
  stores: StoreRegistry;
  /** Null: nothing is scanned here. */
  scanner: VirusScanner | null;
}

/** Has contents scanned that are not served before they were found clean. */
export class ScanService {
  readonly #parts: ScanServiceParts;

  constructor(parts: ScanServiceParts) {
    this.#parts = parts;
  }

  /**
   * Scans a content that waits for it. For the job `scan-object`: doing it twice does no harm.
   * @throws Error where scanner or bucket do not answer: the content waits on
   */
  async scan(objectId: string, { signal }: { signal: AbortSignal }): Promise<void> {
    const { db, stores, scanner } = this.#parts;
    const object = isId('object', objectId) ? await findMediaObject(db, objectId) : null;
    if (object?.quarantine !== 'pending') return;
    if (!scanner) throw new Error('a content waits for a scan, and no scanner is configured here (CARCOSA_CLAMD)');
    const store = await stores.storeFor(object.bucketId);
    const verdict = await scanner.scan(await store.read(object.storageKey, { signal }), { signal });
    await this.#settle(object, verdict);
  }

  async #settle(object: MediaObjectRow, verdict: ScanVerdict): Promise<void> {
    const state: Quarantine | null = verdict.result === 'clean' ? null : verdict.result;
    const reason = reasonOf(verdict);
    await this.#parts.transaction(async (tx) => {
      if (!(await setQuarantine(tx, object.id, { state, reason }, 'pending'))) return;
      if (state === null) await arriveAgain(tx, object.id);
      await recordVerdict(tx, { object, clock: this.#parts.clock, state, reason, by: 'scan' });
    });
  }
}

function reasonOf(verdict: ScanVerdict): string | null {
  if (verdict.result === 'clean') return null;
  return verdict.result === 'infected' ? `infected with ${verdict.signature}` : verdict.reason;
}

/** Writes down, for each file of a content, that it is served or not any more. */
export async function recordVerdict(
  tx: Queryable,
  verdict: {
    object: Pick<MediaObjectRow, 'id' | 'projectId'>;
    clock: Clock;
    state: Quarantine | null;
    reason: string | null;
    by: string;
  },
): Promise<void> {
  const { object, clock, state, reason, by } = verdict;
  const files = await findFilesOfObject(tx, object.id);
  const action = state === null ? 'file.scan' : 'file.quarantine';
  const entries = files.map(({ id, path, tenantId }) => {
    const place = { projectId: object.projectId, tenantId };
    return auditEntry(
      SYSTEM,
      { action, resource: { type: 'file', id }, place, after: { path, state, reason, by } },
      clock,
    );
  });
  await recordAudit(tx, entries);
}
