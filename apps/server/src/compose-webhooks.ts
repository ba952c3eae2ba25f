import type { Queryable } from '@carcosa/database';
import {
  type Access,
  DeliveryService,
  type EventService,
  type Mailer,
  type Notifications,
  type ProjectFactsCache,
  type Sealer,
  WebhookNotice,
  WebhookSender,
  WebhookService,
  WebhookWorker,
} from '@carcosa/domain';
import { CarcosaError, type Clock, type IdGenerator, type Logger, type Random, type Tracing } from '@carcosa/kernel';
import { AddressGuard } from '@carcosa/kernel/node';

export interface WebhookParts {
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  clock: Clock;
  ids: IdGenerator;
  random: Random;
  logger: Logger;
  publicUrl: string;
  instance: string;
  access: Access;
  sealer: Sealer;
  events: EventService;
  projects: ProjectFactsCache;
  notifications: Notifications;
  /** Null while no mail server is configured. */
  mailer: Mailer | null;
  version: string;
  tracing: Tracing;
  /** Private networks that may be reached. */
  networks: readonly string[];
  /** Milliseconds that a receiver has; absent: 15,000. */
  webhookTimeoutMs?: number | undefined;
}

/** The part of the composition that tells others what happens. */
export function composeWebhooks({ networks, webhookTimeoutMs, ...parts }: WebhookParts) {
  const guard = new AddressGuard({ allow: networks, refuse: refused });
  const timeout = webhookTimeoutMs === undefined ? {} : { timeoutMs: webhookTimeoutMs };
  const sender = new WebhookSender({ ...parts, guard, ...timeout });
  const webhooks = new WebhookService({ ...parts, guard });
  const deliveries = new DeliveryService({ ...parts, sender, webhooks });
  return {
    sender,
    guard,
    webhookParts: {
      webhooks,
      deliveries,
      webhookWorker: new WebhookWorker({ ...parts, sender, notice: new WebhookNotice(parts) }),
    },
  };
}

function refused(host: string): CarcosaError {
  return new CarcosaError('invalid_request', {
    message: `The address (${host}) leads into a private network. Whoever runs this server can allow it by CARCOSA_WEBHOOK_ALLOW_PRIVATE.`,
  });
}
