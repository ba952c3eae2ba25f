import type { Bucket, CreateBucketBody, ListBucketsQuery, Page, UpdateBucketBody } from '@carcosa/contracts';
import {
  type BucketRow,
  bucketUse,
  deleteBucket,
  findBucket,
  insertBucket,
  isUniqueViolation,
  listBuckets,
  listShares,
  lockBucket,
  type Queryable,
  updateBucket,
  upsertShare,
} from '@carcosa/database';
import { type BucketId, CarcosaError, type Clock, type IdGenerator, isId, type OrganizationId } from '@carcosa/kernel';
import { authorizeOrganization } from '../access/access.ts';
import type { Actor } from '../access/actor.ts';
import { changedFields } from '../audit/audit-entry.ts';
import { record } from '../audit/record.ts';
import { afterId, pageOf } from '../lists.ts';
import type { Sealer } from '../secrets/sealer.ts';
import { aboutBucket } from './about-bucket.ts';
import { accessKeyIdEnd, sealCredentials } from './bucket-credentials.ts';
import { assertBucketControl, type BucketControl, knownBucket } from './bucket-decision.ts';
import { holdShareableTeam } from './bucket-sharing.ts';
import { assertUnused } from './bucket-use.ts';
import { toBucket } from './bucket-view.ts';
import { changedPlace, parseS3Place, s3PlaceOf } from './s3-place.ts';
import { visibleBuckets } from './visible-buckets.ts';

export interface BucketServiceParts {
  db: Queryable;
  transaction: <Result>(work: (tx: Queryable) => Promise<Result>) => Promise<Result>;
  clock: Clock;
  ids: IdGenerator;
  sealer: Sealer;
  /** Told of a bucket that was changed or removed here, before the change is answered. */
  onChange: (id: BucketId) => Promise<void>;
}

const LIST = 'buckets';

/** Makes, shows, changes and removes buckets. Every method throws `not_found` for a bucket that the actor may not know of. */
export class BucketService {
  readonly #parts: BucketServiceParts;

  constructor(parts: BucketServiceParts) {
    this.#parts = parts;
  }

  /**
   * For owners and admins of the organization; a local one only for those who also run the server, whose disk it fills. Nothing is asked
   * of the provider yet: see `BucketExaminer`.
   * @throws CarcosaError `conflict` for a name that the organization has already, `not_found` for a team of another one
   */
  async create(actor: Actor, input: CreateBucketBody): Promise<Bucket> {
    if (!isId('organization', input.organizationId)) throw new CarcosaError('not_found');
    const organizationId: OrganizationId = input.organizationId;
    authorizeOrganization(actor, 'manage', organizationId);
    if (input.provider === 'local' && !runsTheServer(actor)) {
      throw new CarcosaError('forbidden', {
        message: 'Only who runs this server may make buckets on its disk; use the bucket of an S3-compatible provider.',
      });
    }
    const { db, ids, transaction, clock } = this.#parts;
    const id = ids.next('bucket');
    const row = { id, organizationId, name: input.name, ...(await this.#settings(id, input)) };
    await namedOnce(() =>
      transaction(async (tx) => {
        await insertBucket(tx, row);
        for (const { teamId, access } of input.shares) {
          await upsertShare(tx, { bucketId: id, teamId: await holdShareableTeam(tx, teamId, row), access });
        }
        const after = { ...describe(row), shares: input.shares };
        await record(tx, clock, actor, { action: 'bucket.create', ...aboutBucket(row), after });
      }),
    );
    return await this.#view(db, actor, id);
  }

  /** The buckets that the actor may know of, the oldest first. */
  async list(actor: Actor, query: ListBucketsQuery): Promise<Page<Bucket>> {
    const { db } = this.#parts;
    const { limit, organizationId = null, cursor } = query;
    const after = afterId(LIST, cursor) ?? '';
    const isKnown = organizationId === null || isId('organization', organizationId);
    const visible = { organizationId: organizationId as OrganizationId | null, after, limit: limit + 1 };
    const rows = isKnown ? await listBuckets(db, visibleBuckets(actor), visible) : [];
    const shares = await listShares(
      db,
      rows.map(({ id }) => id),
    );
    const sharesOf = (id: BucketId) => shares.filter(({ bucketId }) => bucketId === id);
    return pageOf(LIST, rows, limit, (row) => toBucket(actor, row, sharesOf(row.id)));
  }

  async get(actor: Actor, id: string): Promise<Bucket> {
    return await this.#view(this.#parts.db, actor, knownBucket(id));
  }

  /**
   * Who tends the bucket may give it another name and other credentials; where it lies is for those who manage it, and its new place
   * must hold the same objects. Every node opens it anew.
   * @throws CarcosaError `conflict` for a bucket of the environment, a local one's credentials, a taken name
   */
  async update(actor: Actor, id: string, change: UpdateBucketBody): Promise<Bucket> {
    const { name, credentials, ...place } = change;
    const moves = Object.keys(place).length > 0;
    await namedOnce(() =>
      this.#parts.transaction(async (tx) => {
        const row = await this.#lock(tx, actor, moves ? 'manage' : 'tend', id);
        assertChangeable(row, { asS3: moves || credentials !== undefined });
        const next = { ...row, name: name ?? row.name };
        if (moves) next.config = { ...row.config, ...changedPlace(parseS3Place(row.config), change) };
        if (credentials) {
          next.config = { ...next.config, accessKeyIdEnd: accessKeyIdEnd(credentials) };
          next.credentials = await sealCredentials(this.#parts.sealer, row.id, credentials);
        }
        await updateBucket(tx, next, { reopen: moves || credentials !== undefined });
        await this.#recordUpdate(tx, actor, { row, next, rotated: credentials !== undefined });
      }),
    );
    await this.#parts.onChange(knownBucket(id));
    return await this.#view(this.#parts.db, actor, knownBucket(id));
  }

  /**
   * Removes a bucket from Carcosa; what lies at the provider stays there.
   * @throws CarcosaError `bucket_in_use` with what uses it, `conflict` for a bucket of the environment
   */
  async remove(actor: Actor, id: string): Promise<void> {
    await this.#parts.transaction(async (tx) => {
      const row = await this.#lock(tx, actor, 'manage', id);
      assertChangeable(row, { asS3: false });
      assertUnused(await bucketUse(tx, row));
      await deleteBucket(tx, row.id);
      const before = describe(row);
      await record(tx, this.#parts.clock, actor, { action: 'bucket.delete', ...aboutBucket(row), before });
    });
    await this.#parts.onChange(knownBucket(id));
  }

  async #settings(
    id: BucketId,
    input: CreateBucketBody,
  ): Promise<Pick<BucketRow, 'provider' | 'config' | 'credentials'>> {
    if (input.provider === 'local') return { provider: 'local', config: {}, credentials: null };
    const { credentials } = input;
    const config = { ...s3PlaceOf(input), accessKeyIdEnd: accessKeyIdEnd(credentials) };
    return { provider: 's3', config, credentials: await sealCredentials(this.#parts.sealer, id, credentials) };
  }

  async #view(db: Queryable, actor: Actor, id: BucketId): Promise<Bucket> {
    const row = await findBucket(db, id);
    if (!row) throw new CarcosaError('not_found');
    const shares = await listShares(db, [id]);
    assertBucketControl(actor, 'see', row, shares);
    return toBucket(actor, row, shares);
  }

  async #lock(tx: Queryable, actor: Actor, needed: BucketControl, id: string): Promise<BucketRow> {
    const row = await lockBucket(tx, knownBucket(id));
    if (!row) throw new CarcosaError('not_found');
    assertBucketControl(actor, needed, row, await listShares(tx, [row.id]));
    return row;
  }

  async #recordUpdate(
    tx: Queryable,
    actor: Actor,
    { row, next, rotated }: { row: BucketRow; next: BucketRow; rotated: boolean },
  ): Promise<void> {
    const { clock } = this.#parts;
    const fields = changedFields(describe(row), describe(next));
    if (Object.keys(fields.after).length > 0)
      await record(tx, clock, actor, { action: 'bucket.update', ...aboutBucket(row), ...fields });
    if (rotated) await record(tx, clock, actor, { action: 'bucket.rotate-credentials', ...aboutBucket(row) });
  }
}

/** What an audit entry says of a bucket. */
function describe({
  name,
  provider,
  config,
}: Pick<BucketRow, 'name' | 'provider' | 'config'>): Record<string, unknown> {
  const { accessKeyIdEnd: _, ...place } = config;
  return { name, provider, ...place };
}

function assertChangeable(row: BucketRow, { asS3 }: { asS3: boolean }): void {
  if (row.fromEnvironment) {
    throw new CarcosaError('conflict', {
      message:
        'This bucket comes from the environment of the server (its CARCOSA_S3_ variables, or its data directory): change it there.',
    });
  }
  if (asS3 && row.provider !== 's3')
    throw new CarcosaError('conflict', { message: 'A local bucket has no address and no credentials.' });
}

async function namedOnce<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!isUniqueViolation(error, 'buckets_name')) throw error;
    throw new CarcosaError('conflict', { message: 'The organization has a bucket of that name already.' });
  }
}

function runsTheServer(actor: Actor): boolean {
  return actor.type === 'system' || (actor.type === 'user' && actor.isServerAdmin);
}
