import {
  type CreateWebhookBody,
  eventsMatching,
  type ListWebhooksQuery,
  type NewWebhook,
  type Page,
  permissionOfEvent,
  type RotateWebhookSecretBody,
  type UpdateWebhookBody,
  type Webhook,
} from '@carcosa/contracts';
import {
  deleteWebhook,
  findWebhook,
  insertWebhook,
  listWebhooks,
  lockWebhook,
  type Queryable,
  rotateWebhookSecret,
  updateWebhook,
  type WebhookRow,
  wakeWebhooks,
} from '@carcosa/database';
import {
  CarcosaError,
  type Clock,
  type IdGenerator,
  isId,
  type OrganizationId,
  type ProjectId,
  type Random,
} from '@carcosa/kernel';
import type { AddressGuard } from '@carcosa/kernel/node';
import { type Access, authorizeOrganization, projectOf } from '../access/access.ts';
import { type Actor, actorId } from '../access/actor.ts';
import type { Place } from '../access/grant.ts';
import { type AuditEvent, changedFields } from '../audit/audit-entry.ts';
import { record } from '../audit/record.ts';
import { afterId, pageOf } from '../lists.ts';
import type { Sealer } from '../secrets/sealer.ts';
import { newWebhookSecret } from './signature.ts';
import { formerSecretOwner, secretOwner } from './webhook-secrets.ts';
import { webhookView } from './webhook-view.ts';

export interface WebhookServiceParts {
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  ids: IdGenerator;
  clock: Clock;
  random: Random;
  access: Access;
  sealer: Sealer;
  guard: AddressGuard;
  projects: {
    /** Where a project stands. @throws CarcosaError `not_found` */
    placeOf(id: ProjectId): Place | Promise<Place>;
  };
}

/**
 * The webhooks of projects and organizations. Those of a project are for who may change all of it (`projects:write`) and read what its events
 * tell of; those of an organization for its owners and admins. Every method throws `not_found` for what the actor may not know of.
 */
export class WebhookService {
  readonly #parts: WebhookServiceParts;

  constructor(parts: WebhookServiceParts) {
    this.#parts = parts;
  }

  /** @throws CarcosaError `invalid_request` for an address in a private network */
  async create(actor: Actor, input: CreateWebhookBody): Promise<NewWebhook> {
    const { ids, clock, random, sealer, transaction } = this.#parts;
    const { url, description, events, rateLimit } = input;
    const place = await this.#placeFor(actor, input);
    await this.#assertMayLearn(actor, place.projectId, events);
    this.#assertReachable(url);
    const id = ids.next('webhook');
    const secret = newWebhookSecret(random);
    const sealed = await sealer.seal(secret, secretOwner(id));
    const now = new Date(clock.now());
    const row = await transaction(async (tx) => {
      const inserted = await insertWebhook(tx, {
        ...{ id, ...place, url, description, events, rateLimit, secret: sealed, now },
        eventTypes: eventsMatching(events),
        createdBy: actorId(actor),
      });
      await this.#record(tx, actor, inserted, { action: 'webhook.create', after: settable(inserted) });
      return inserted;
    });
    return { ...webhookView(row, clock.now()), secret };
  }

  async list(actor: Actor, query: ListWebhooksQuery): Promise<Page<Webhook>> {
    const { organizationId, projectId } = await this.#placeFor(actor, query);
    const after = afterId('webhooks', query.cursor);
    const rows = await listWebhooks(this.#parts.db, { organizationId, projectId, limit: query.limit, after });
    return pageOf('webhooks', rows, query.limit, (row) => webhookView(row, this.#parts.clock.now()));
  }

  async get(actor: Actor, id: string): Promise<Webhook> {
    return webhookView(await this.find(actor, id), this.#parts.clock.now());
  }

  async update(actor: Actor, id: string, input: UpdateWebhookBody): Promise<Webhook> {
    const found = await this.find(actor, id);
    if (input.events) await this.#assertMayLearn(actor, found.projectId, input.events);
    if (input.url !== undefined) this.#assertReachable(input.url);
    const now = this.#parts.clock.now();
    return await this.#parts.transaction(async (tx) => {
      const before = await locked(tx, found);
      const eventTypes = input.events && eventsMatching(input.events);
      const after = await updateWebhook(tx, before.id, { ...input, eventTypes }, new Date(now));
      if (!after) throw new CarcosaError('not_found');
      const changed = changedFields(settable(before), settable(after));
      await this.#record(tx, actor, after, { action: 'webhook.update', ...changed });
      await wakeWebhooks(tx, before.id);
      return webhookView(after, now);
    });
  }

  async remove(actor: Actor, id: string): Promise<void> {
    const row = await this.find(actor, id);
    await this.#parts.transaction(async (tx) => {
      await this.#record(tx, actor, row, { action: 'webhook.delete', before: settable(row) });
      if (!(await deleteWebhook(tx, row.id))) throw new CarcosaError('not_found');
    });
  }

  /** A new secret; the former one signs beside it for `overlapSeconds`. */
  async rotateSecret(actor: Actor, id: string, { overlapSeconds }: RotateWebhookSecretBody): Promise<NewWebhook> {
    const found = await this.find(actor, id);
    const { clock, random, sealer, transaction } = this.#parts;
    const secret = newWebhookSecret(random);
    const sealed = await sealer.seal(secret, secretOwner(found.id));
    const now = clock.now();
    const row = await transaction(async (tx) => {
      const before = await locked(tx, found);
      const former = await sealer.open(before.secret, secretOwner(before.id));
      await rotateWebhookSecret(tx, before.id, {
        ...{ secret: sealed, now: new Date(now) },
        formerSecret: overlapSeconds === 0 ? null : await sealer.seal(former, formerSecretOwner(before.id)),
        formerSecretUntil: overlapSeconds === 0 ? null : new Date(now + overlapSeconds * 1000),
      });
      await this.#record(tx, actor, before, { action: 'webhook.rotate-secret', after: { overlapSeconds } });
      await wakeWebhooks(tx, before.id);
      return before;
    });
    return { ...webhookView({ ...row, updatedAt: new Date(now) }, now), secret };
  }

  /** The webhook, for somebody who may manage it. */
  async find(actor: Actor, id: string): Promise<WebhookRow> {
    const row = isId('webhook', id) ? await findWebhook(this.#parts.db, id) : null;
    if (!row) throw new CarcosaError('not_found');
    if (row.projectId === null) authorizeOrganization(actor, 'manage', row.organizationId);
    else await this.#parts.access.authorizeWhole(actor, 'projects:write', row.projectId);
    return row;
  }

  /** @throws CarcosaError `forbidden` for events that tell of what the actor may not read */
  async #assertMayLearn(actor: Actor, projectId: ProjectId | null, filters: readonly string[]): Promise<void> {
    if (projectId === null) return;
    const permissions = new Set(eventsMatching(filters).map(permissionOfEvent));
    for (const permission of permissions) await this.#parts.access.authorizeWhole(actor, permission, projectId);
  }

  async #placeFor(actor: Actor, input: { projectId?: string | undefined; organizationId?: string | undefined }) {
    const { projectId, organizationId } = input;
    const isBound = actor.type === 'api-key' || actor.type === 'tenant-token';
    if (!isBound && projectId === undefined && organizationId !== undefined) {
      if (!isId('organization', organizationId)) throw new CarcosaError('not_found');
      authorizeOrganization(actor, 'manage', organizationId);
      return { organizationId, projectId: null };
    }
    const project = projectOf(actor, projectId);
    await this.#parts.access.authorizeWhole(actor, 'projects:write', project);
    const place = await this.#parts.projects.placeOf(project);
    if (organizationId !== undefined && organizationId !== place.organizationId) throw new CarcosaError('not_found');
    return { organizationId: place.organizationId as OrganizationId, projectId: project };
  }

  /** Names are looked up when requests are made, and each time anew; an address can be refused at once. */
  #assertReachable(url: string): void {
    const refusal = this.#parts.guard.refusalOf(new URL(url).hostname);
    if (refusal) throw new CarcosaError('invalid_request', { message: refusal.message });
  }

  #record(tx: Queryable, actor: Actor, row: WebhookRow, event: AuditEvent): Promise<void> {
    const { id, organizationId, projectId } = row;
    const about = { resource: { type: 'webhook', id }, place: { organizationId, projectId } } as const;
    return record(tx, this.#parts.clock, actor, { ...event, ...about });
  }
}

async function locked(tx: Queryable, { id }: WebhookRow): Promise<WebhookRow> {
  const row = await lockWebhook(tx, id);
  if (!row) throw new CarcosaError('not_found');
  return row;
}

/** Of the address without its query, which may hold a secret of the receiver's. */
const settable = ({ url, description, events, rateLimit, enabled }: WebhookRow) => {
  const { origin, pathname } = new URL(url);
  return { url: `${origin}${pathname}`, description, events, rateLimit, enabled };
};
