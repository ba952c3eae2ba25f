import { PERMISSIONS } from '@carcosa/contracts';
import {
  type BucketRow,
  findDefaultProject,
  insertOrganization,
  insertProject,
  insertTeam,
  lockProvisioning,
  type Queryable,
  recordAudit,
  setProjectBucket,
  updateApiKey,
  upsertBucket,
} from '@carcosa/database';
import {
  type ApiKeyId,
  type BucketId,
  type Clock,
  type IdGenerator,
  isCarcosaError,
  type OrganizationId,
  type ProjectId,
} from '@carcosa/kernel';
import { type ApiKeyActor, SYSTEM } from '../access/actor.ts';
import { seedAlarms } from '../alarms/default-alarms.ts';
import type { ApiKeyService } from '../api-keys/service.ts';
import type { SigningKeys } from '../api-keys/signing-keys.ts';
import { auditEntry } from '../audit/audit-entry.ts';
import { record } from '../audit/record.ts';

/** The slug of the organization, team and project of a first start. */
export const DEFAULT_SLUG = 'default';
/** How many times the usual rate limits the key of `local.json` has: a developer at home is never slowed. */
const LOCAL_FACTOR = 1000;

/** The bucket that new files of the default project go to. */
export type DefaultBucket = Pick<BucketRow, 'name' | 'provider' | 'config'>;

/** What a start found or made. */
export interface Provisioned {
  projectId: ProjectId;
  bucketId: BucketId;
  /** A new key with every permission; null where the one that the caller holds still serves. */
  apiKey: string | null;
}

interface Place {
  projectId: ProjectId;
  bucketId: BucketId;
  organizationId: OrganizationId;
}

export interface ProvisioningParts {
  transaction: <Result>(work: (tx: Queryable) => Promise<Result>) => Promise<Result>;
  ids: IdGenerator;
  clock: Clock;
  apiKeys: ApiKeyService;
  /** Absent: the key of the project signs nothing. */
  signingKeys?: Pick<SigningKeys, 'allow'>;
}

/** Makes what a server needs to be of use: an organization, a team, a project and a bucket, all called `default`. */
export class ProvisioningService {
  readonly #parts: ProvisioningParts;

  constructor(parts: ProvisioningParts) {
    this.#parts = parts;
  }

  /**
   * Idempotent, and safe when several nodes start at once on one database.
   * @param heldKey the key that an earlier start left, if it is still there; where it does not open the project, a new one is made
   */
  async ensureDefaults(bucket: DefaultBucket, heldKey: string | null): Promise<Provisioned> {
    return await this.#parts.transaction(async (tx) => {
      await lockProvisioning(tx);
      const { projectId, bucketId, organizationId } =
        (await this.#reuse(tx, bucket)) ?? (await this.#create(tx, bucket));
      await seedAlarms(tx, this.#parts, organizationId);
      const held = await this.#holder(heldKey, projectId);
      if (held && heldKey !== null) {
        await this.#lift(tx, held);
        await this.#letSign(tx, projectId, { id: held.id, token: heldKey });
        return { projectId, bucketId, apiKey: null };
      }
      const key = { projectId, label: 'local', permissions: PERMISSIONS, limitFactor: LOCAL_FACTOR };
      const made = await this.#parts.apiKeys.create(key, tx);
      await record(tx, this.#parts.clock, SYSTEM, {
        ...{
          action: 'api-key.create',
          resource: { type: 'api-key', id: made.id },
          place: { projectId: key.projectId },
        },
        after: { name: key.label, permissions: key.permissions, limitFactor: key.limitFactor },
      });
      await this.#letSign(tx, projectId, made);
      return { projectId, bucketId, apiKey: made.token };
    });
  }

  async #reuse(tx: Queryable, bucket: DefaultBucket): Promise<Place | null> {
    const found = await findDefaultProject(tx, DEFAULT_SLUG);
    if (!found) return null;
    const bucketId = await this.#ensureBucket(tx, found.organizationId, bucket);
    await setProjectBucket(tx, found.id, bucketId);
    return { projectId: found.id, bucketId, organizationId: found.organizationId };
  }

  async #create(tx: Queryable, bucket: DefaultBucket): Promise<Place> {
    const { ids, clock } = this.#parts;
    const organizationId = ids.next('organization');
    const teamId = ids.next('team');
    const projectId = ids.next('project');
    await insertOrganization(tx, { id: organizationId, name: 'Default', slug: DEFAULT_SLUG });
    await insertTeam(tx, { id: teamId, organizationId, name: 'Default', slug: DEFAULT_SLUG });
    const bucketId = await this.#ensureBucket(tx, organizationId, bucket);
    // Public, because a newcomer wants to open what was just uploaded; every other project begins private.
    // Not limited, because what is public may stand behind a cache that asks for everybody.
    const settings = { defaultVisibility: 'public' as const, rateLimits: { 'public-download': null } };
    await insertProject(tx, {
      id: projectId,
      organizationId,
      teamId,
      bucketId,
      name: 'default',
      slug: DEFAULT_SLUG,
      settings,
    });
    const made = { organization: organizationId, team: teamId, bucket: bucketId, project: projectId };
    const entries = (Object.entries(made) as [keyof typeof made, string][]).map(([type, id]) => {
      const event = { resource: { type, id }, place: { organizationId }, after: { slug: DEFAULT_SLUG } };
      return auditEntry(SYSTEM, { ...event, action: `${type}.create` }, clock);
    });
    await recordAudit(tx, entries);
    return { projectId, bucketId, organizationId };
  }

  async #ensureBucket(tx: Queryable, organizationId: OrganizationId, bucket: DefaultBucket): Promise<BucketId> {
    return await upsertBucket(tx, { id: this.#parts.ids.next('bucket'), organizationId, ...bucket });
  }

  /** So that an app that was written for UploadThing runs against a first start. */
  async #letSign(tx: Queryable, projectId: ProjectId, { id, token }: { id: ApiKeyId; token: string }): Promise<void> {
    if (!(await this.#parts.signingKeys?.allow(tx, id, token))) return;
    const event = { resource: { type: 'api-key', id }, place: { projectId }, after: { signs: true } } as const;
    await record(tx, this.#parts.clock, SYSTEM, { ...event, action: 'api-key.update' });
  }

  /** Whose key it is, if it opens the project. */
  async #holder(key: string | null, projectId: ProjectId): Promise<ApiKeyActor | null> {
    if (key === null) return null;
    try {
      const actor = await this.#parts.apiKeys.authenticate(key);
      return actor.projectId === projectId ? actor : null;
    } catch (error) {
      if (isCarcosaError(error, 'unauthenticated')) return null;
      throw error;
    }
  }

  /** Gives a key that an older version left the limits that it would have today. */
  async #lift(tx: Queryable, { id, projectId, limitFactor }: ApiKeyActor): Promise<void> {
    if (limitFactor >= LOCAL_FACTOR) return;
    const raised = await updateApiKey(tx, id, { limitFactor: LOCAL_FACTOR });
    if (!raised) return;
    await record(tx, this.#parts.clock, SYSTEM, {
      ...{ action: 'api-key.update', resource: { type: 'api-key', id }, place: { projectId } },
      ...{ before: { limitFactor }, after: { limitFactor: LOCAL_FACTOR } },
    });
    this.#parts.apiKeys.invalidate(raised.publicId);
  }
}
