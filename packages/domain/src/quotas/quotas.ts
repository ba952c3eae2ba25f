import { MONTHLY_METRICS, QUOTA_METRICS, type QuotaMetric, Quotas as QuotasOf } from '@carcosa/contracts';
import {
  addReservations,
  addUsed,
  type CounterKey,
  chargeEntry,
  findCounters,
  type Lease,
  type ProjectQuotas,
  type Queryable,
  type QuotaCharge,
  type QuotaCounter,
  releaseReservations,
  setReservedLength,
} from '@carcosa/database';
import { CarcosaError, type Clock, type ProjectId, type TenantId, type UploadId } from '@carcosa/kernel';
import { monthOf } from './month.ts';

/** What is reserved for an upload when it is created. */
const UPLOAD_METRICS: readonly QuotaMetric[] = ['bytes', 'files', 'uploadBytes'];
/** What a copy of a file, or an old version that is made new, adds to. */
const STORED_METRICS: ReadonlySet<QuotaMetric> = new Set(['bytes', 'files']);

export interface QuotasParts {
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  projects: { facts(id: ProjectId): QuotaFacts | Promise<QuotaFacts> };
  tenants: { facts(id: TenantId): Promise<{ quotas: Record<string, unknown> } | null> };
  clock: Clock;
  /** Told what somebody was refused by, whose transaction is rolled back. */
  onRefused?: (counter: CounterKey) => void;
}

interface QuotaFacts {
  organizationId: string;
  quotas: ProjectQuotas;
}

/** A limit that is in force for something in a project. */
interface Limit {
  scopeId: string;
  metric: QuotaMetric;
  limit: number;
}

/** Whose quotas an upload counts against, and as what. */
export interface Chargeable {
  projectId: ProjectId;
  tenantId: TenantId | '';
  /** Bytes; null: not known yet. */
  size: number | null;
  /** Whether it becomes a part of another upload, and no file. */
  isPartial: boolean;
}

/**
 * Holds uploads and copies to the quotas of their organization, project and tenant. What is used follows from the rows (triggers of
 * migration 0005); here is what must be decided before: room is reserved when an upload is created, and whoever ends it, in whichever
 * way, gives that back. Where no quota is in force nothing is asked of the database.
 */
export class Quotas {
  readonly #parts: QuotasParts;

  constructor(parts: QuotasParts) {
    this.#parts = parts;
  }

  /** What has to be reserved for an upload; empty where no quota is in force. */
  async chargesFor({ projectId, tenantId, size, isPartial }: Chargeable): Promise<QuotaCharge[]> {
    const limits = await this.#limits(projectId, tenantId);
    const charges: QuotaCharge[] = [];
    for (const { scopeId, metric, limit } of limits) {
      if (!UPLOAD_METRICS.includes(metric)) continue;
      const amount = metric === 'files' ? (isPartial ? null : 1) : size;
      if (amount === null) continue;
      charges.push({ scopeId, metric, limit, amount, period: this.#periodOf(metric) });
    }
    return charges;
  }

  /**
   * Reserves, in the transaction that has inserted the uploads.
   * @param releases uploads whose own reservations these take the place of
   * @throws CarcosaError `quota_exceeded`
   */
  async reserve(tx: Queryable, charges: readonly QuotaCharge[], releases: readonly UploadId[] = []): Promise<void> {
    if (releases.length > 0) await releaseReservations(tx, releases);
    if (charges.length === 0) return;
    for (const counter of await addReservations(tx, charges)) this.#assertWithin(counter, counter.limit);
  }

  /**
   * Fixes the length of an upload that had none, and reserves for it.
   * @throws CarcosaError `quota_exceeded`, `upload_fenced`
   */
  async reserveLength(upload: Chargeable & { id: UploadId }, lease: Lease, size: number): Promise<void> {
    const charges = (await this.chargesFor({ ...upload, size })).filter(({ metric }) => metric !== 'files');
    if (charges.length === 0) return;
    await this.#parts.transaction(async (tx) => {
      const saved = await setReservedLength(tx, upload.id, lease, { size, entries: charges.map(chargeEntry) });
      if (!saved) throw new CarcosaError('upload_fenced');
      await this.reserve(tx, charges);
    });
  }

  /** To be asked in a transaction that has stored something without a reservation. @throws CarcosaError `quota_exceeded` */
  async assertStored(
    tx: Queryable,
    projectId: ProjectId,
    tenantIds: Iterable<TenantId | '' | null>,
    grown: readonly ('bytes' | 'files')[],
  ): Promise<void> {
    for (const tenantId of new Set(tenantIds)) {
      const limits = (await this.#limits(projectId, tenantId ?? '')).filter(
        ({ metric }) => STORED_METRICS.has(metric) && grown.includes(metric as 'bytes' | 'files'),
      );
      if (limits.length === 0) continue;
      const counters = await findCounters(tx, [...new Set(limits.map(({ scopeId }) => scopeId))], '');
      for (const { scopeId, metric, limit } of limits) {
        const counter = counters.find((each) => each.scopeId === scopeId && each.metric === metric);
        if (counter) this.#assertWithin(counter, limit);
      }
    }
  }

  /** Counts one picture that is about to be made. @throws CarcosaError `quota_exceeded`; then nothing is counted */
  async countTransform(projectId: ProjectId, tenantId: TenantId | ''): Promise<void> {
    const limits = (await this.#limits(projectId, tenantId)).filter(({ metric }) => metric === 'transforms');
    if (limits.length === 0) return;
    const additions = limits.map(({ scopeId, metric }) => ({
      scopeId,
      metric,
      period: this.#periodOf(metric),
      amount: 1,
    }));
    await this.#parts.transaction(async (tx) => {
      const counted = await addUsed(tx, additions);
      for (const { scopeId, metric, limit } of limits) {
        const used = counted.find((each) => each.scopeId === scopeId)?.used ?? 0;
        if (used > limit) throw quotaExceeded({ scopeId, metric, limit, used });
      }
    });
  }

  /** Every limit in force for files of a project, or of a tenant of it, with what is used of it now. */
  async inForce(db: Queryable, projectId: ProjectId, tenantId: TenantId | ''): Promise<(Limit & { used: number })[]> {
    const limits = await this.#limits(projectId, tenantId);
    if (limits.length === 0) return [];
    const scopes = [...new Set(limits.map(({ scopeId }) => scopeId))];
    const { period } = monthOf(this.#parts.clock.now());
    const counters = [...(await findCounters(db, scopes, '')), ...(await findCounters(db, scopes, period))];
    return limits.map((limit) => {
      const counter = counters.find(({ scopeId, metric }) => scopeId === limit.scopeId && metric === limit.metric);
      return { ...limit, used: (counter?.used ?? 0) + (counter?.reserved ?? 0) };
    });
  }

  async #limits(projectId: ProjectId, tenantId: TenantId | ''): Promise<Limit[]> {
    const facts = this.#parts.projects.facts(projectId);
    const { organizationId, quotas } = facts instanceof Promise ? await facts : facts;
    const limits = [...limitsOf(organizationId, quotas.organization), ...limitsOf(projectId, quotas.project)];
    if (tenantId === '') return limits;
    const tenant = await this.#parts.tenants.facts(tenantId);
    return tenant ? [...limits, ...limitsOf(tenantId, tenant.quotas)] : limits;
  }

  #assertWithin({ scopeId, metric, period, used, reserved }: QuotaCounter, limit: number): void {
    if (used + reserved <= limit) return;
    this.#parts.onRefused?.({ scopeId, metric, period });
    throw quotaExceeded({ scopeId, metric, limit, used: used + reserved });
  }

  #periodOf(metric: QuotaMetric): string {
    return MONTHLY_METRICS.has(metric) ? monthOf(this.#parts.clock.now()).period : '';
  }
}

/** The limits that are set for a scope; what was stored in another form counts as none. */
function limitsOf(scopeId: string, stored: Record<string, unknown>): Limit[] {
  const { data = {} } = QuotasOf.safeParse(stored);
  return QUOTA_METRICS.flatMap((metric) => {
    const limit = data[metric];
    return limit === undefined || limit === null ? [] : [{ scopeId, metric, limit }];
  });
}

/** @param facts `used` with what was asked for */
export function quotaExceeded(facts: {
  scopeId: string;
  metric: QuotaMetric;
  limit: number;
  used: number;
}): CarcosaError {
  const { scopeId, ...details } = facts;
  return new CarcosaError('quota_exceeded', { details: { ...details, scope: scopeId } });
}
