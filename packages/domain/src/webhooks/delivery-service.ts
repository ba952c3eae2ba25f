import type {
  Delivery,
  DeliveryDetail,
  ListDeliveriesQuery,
  Page,
  ReplayResult,
  ReplayWebhookBody,
} from '@carcosa/contracts';
import {
  type DeliveryRow,
  findDelivery,
  findDueDelivery,
  insertTestDelivery,
  listAttempts,
  listDeliveries,
  type Queryable,
  recordAttempts,
  replayEvent,
  replayEvents,
  type WebhookRow,
  wakeWebhooks,
} from '@carcosa/database';
import { CarcosaError, type Clock, type Random, toIsoString } from '@carcosa/kernel';
import { type Actor, actorId } from '../access/actor.ts';
import { record } from '../audit/record.ts';
import type { EventService } from '../events/event-service.ts';
import { decodeCursor, encodeCursor } from '../files/cursor.ts';
import type { Sealer } from '../secrets/sealer.ts';
import { attemptOf, WebhookHealth } from './outcome.ts';
import type { WebhookSender } from './sender.ts';
import { openSecrets, signingSecrets } from './webhook-secrets.ts';
import type { WebhookService } from './webhook-service.ts';
import { deliveryView } from './webhook-view.ts';

/** Events that one replay queues. */
const MAX_REPLAY = 100_000;

export interface DeliveryServiceParts {
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  clock: Clock;
  random: Random;
  sealer: Sealer;
  sender: WebhookSender;
  publicUrl: string;
  webhooks: WebhookService;
  events: EventService;
}

/** What was sent to webhooks: shown, tried, and sent once more. For who may manage the webhook. */
export class DeliveryService {
  readonly #parts: DeliveryServiceParts;

  constructor(parts: DeliveryServiceParts) {
    this.#parts = parts;
  }

  /** A page of deliveries, newest first. */
  async list(actor: Actor, webhookId: string, query: ListDeliveriesQuery): Promise<Page<Delivery>> {
    const { id } = await this.#parts.webhooks.find(actor, webhookId);
    const { state, limit, cursor } = query;
    const after = cursor === undefined ? undefined : decodeCursor('deliveries', cursor, [0])[0];
    const rows = await listDeliveries(this.#parts.db, { webhookId: id, state, after, limit: limit + 1 });
    const items = rows.slice(0, limit);
    const last = items.at(-1);
    const hasMore = rows.length > limit;
    const nextCursor = hasMore && last ? encodeCursor('deliveries', [last.position]) : null;
    return { items: items.map(deliveryView), nextCursor, hasMore };
  }

  /** With all requests that were made. */
  async get(actor: Actor, webhookId: string, id: string): Promise<DeliveryDetail> {
    const { row } = await this.#find(actor, webhookId, id);
    return await this.#detail(row);
  }

  /** Sends an event of type `webhook.test` at once, whether the webhook is on or not, and says what became of it. */
  async test(actor: Actor, webhookId: string): Promise<DeliveryDetail> {
    const webhook = await this.#parts.webhooks.find(actor, webhookId);
    const { db, transaction, clock, random, sealer, sender, publicUrl } = this.#parts;
    const secrets = signingSecrets(await openSecrets(sealer, webhook), clock.now());
    const id = await transaction(async (tx) => {
      await this.#record(tx, actor, webhook, 'webhook.test');
      const by = { type: actor.type, id: actorId(actor) };
      return await insertTestDelivery(tx, { webhookId: webhook.id, actor: by, now: clock.now() });
    });
    const delivery = await findDueDelivery(db, id, publicUrl);
    if (!delivery) throw new CarcosaError('not_found');
    const answer = await sender.send({ url: webhook.url, secrets, id: delivery.eventId, body: delivery.body });
    const attempt = attemptOf(delivery, webhook.url, answer, random);
    // Nobody waits for a test: it is not tried again, and says nothing of how the webhook is.
    const state = answer.error === null ? 'delivered' : 'failed';
    await recordAttempts(db, webhook.id, [{ ...attempt, state }], new WebhookHealth(webhook).row);
    const row = await findDelivery(db, webhook.id, id);
    if (!row) throw new CarcosaError('not_found');
    return await this.#detail(row);
  }

  /** Sends the event of a delivery once more, with the same id. */
  async replay(actor: Actor, webhookId: string, id: string): Promise<Delivery> {
    const { webhook, row } = await this.#find(actor, webhookId, id);
    assertOn(webhook);
    const made = await this.#parts.transaction(async (tx) => {
      await this.#record(tx, actor, webhook, 'webhook.replay', { eventId: row.eventId });
      const now = this.#parts.clock.now();
      const [again = ''] = await replayEvent(tx, { position: row.eventPosition, webhookId: webhook.id, now });
      await wakeWebhooks(tx);
      return await findDelivery(tx, webhook.id, again);
    });
    if (!made) throw new CarcosaError('not_found');
    return deliveryView(made);
  }

  /** Sends the events of a span of time once more, at most 100,000. */
  async replayAll(actor: Actor, webhookId: string, { from, to, only }: ReplayWebhookBody): Promise<ReplayResult> {
    const webhook = await this.#parts.webhooks.find(actor, webhookId);
    assertOn(webhook);
    const now = this.#parts.clock.now();
    return await this.#parts.transaction(async (tx) => {
      const deliveries = await replayEvents(tx, {
        ...{ webhookId: webhook.id, from: Date.parse(from), to: to === undefined ? now + 1 : Date.parse(to), now },
        ...{ onlyUndelivered: only === 'undelivered', limit: MAX_REPLAY },
      });
      await this.#record(tx, actor, webhook, 'webhook.replay', { from, to, only, deliveries });
      await wakeWebhooks(tx);
      return { deliveries };
    });
  }

  /** Sends an event of the history once more, to one webhook. */
  async replayEvent(actor: Actor, eventId: string, webhookId: string): Promise<Delivery> {
    const event = await this.#parts.events.find(actor, eventId);
    const webhook = await this.#parts.webhooks.find(actor, webhookId);
    assertOn(webhook);
    const isIts =
      event.organizationId === webhook.organizationId &&
      (webhook.projectId === null || webhook.projectId === event.projectId);
    if (!isIts) throw new CarcosaError('not_found');
    const made = await this.#parts.transaction(async (tx) => {
      await this.#record(tx, actor, webhook, 'webhook.replay', { eventId });
      const now = this.#parts.clock.now();
      const [again = ''] = await replayEvent(tx, { position: event.position, webhookId: webhook.id, now });
      await wakeWebhooks(tx);
      return await findDelivery(tx, webhook.id, again);
    });
    if (!made) throw new CarcosaError('not_found');
    return deliveryView(made);
  }

  async #find(actor: Actor, webhookId: string, id: string): Promise<{ webhook: WebhookRow; row: DeliveryRow }> {
    const webhook = await this.#parts.webhooks.find(actor, webhookId);
    const row = await findDelivery(this.#parts.db, webhook.id, id);
    if (!row) throw new CarcosaError('not_found');
    return { webhook, row };
  }

  async #detail(row: DeliveryRow): Promise<DeliveryDetail> {
    const { db, publicUrl } = this.#parts;
    const due = await findDueDelivery(db, row.id, publicUrl);
    const attempts = await listAttempts(db, row.id);
    const history = attempts.map((attempt) => ({ ...attempt, at: toIsoString(attempt.at.getTime()) }));
    return { ...deliveryView(row), requestBody: due?.body ?? '', history };
  }

  async #record(
    tx: Queryable,
    actor: Actor,
    { id, organizationId, projectId }: WebhookRow,
    action: 'webhook.test' | 'webhook.replay',
    after?: object,
  ): Promise<void> {
    const about = { resource: { type: 'webhook', id }, place: { organizationId, projectId } } as const;
    await record(tx, this.#parts.clock, actor, { action, ...about, after });
  }
}

function assertOn({ enabled }: WebhookRow): void {
  if (!enabled) throw new CarcosaError('conflict', { message: 'The webhook is switched off; switch it on first.' });
}
