import type { Delivery, Webhook } from '@carcosa/contracts';
import type { DeliveryRow, WebhookRow } from '@carcosa/database';
import { toIsoString } from '@carcosa/kernel';

const iso = (date: Date | null): string | null => (date === null ? null : toIsoString(date.getTime()));

export function webhookView(row: WebhookRow, now: number): Webhook {
  const { id, organizationId, projectId, url, description, events, rateLimit, enabled } = row;
  return {
    ...{ id, organizationId, projectId, url, description, events, rateLimit, enabled, health: healthOf(row, now) },
    ...{ disabledReason: row.disabledReason, consecutiveFailures: row.consecutiveFailures },
    ...{ failingSince: iso(row.failingSince), lastSuccessAt: iso(row.lastSuccessAt) },
    pausedUntil: isPaused(row, now) ? iso(row.pausedUntil) : null,
    createdAt: toIsoString(row.createdAt.getTime()),
    updatedAt: toIsoString(row.updatedAt.getTime()),
  };
}

const isPaused = ({ pausedUntil }: WebhookRow, now: number): boolean =>
  pausedUntil !== null && pausedUntil.getTime() > now;

function healthOf(row: WebhookRow, now: number): Webhook['health'] {
  if (!row.enabled) return 'disabled';
  if (isPaused(row, now)) return 'paused';
  return row.failingSince === null ? 'healthy' : 'failing';
}

export function deliveryView(row: DeliveryRow): Delivery {
  const { id, webhookId, eventId, eventType, state, attempts, nextAt, isReplay, createdAt, finishedAt } = row;
  return {
    ...{ id, webhookId, eventId, eventType, state, attempts, isReplay },
    nextAttemptAt: state === 'pending' ? iso(nextAt) : null,
    createdAt: toIsoString(createdAt.getTime()),
    finishedAt: iso(finishedAt),
  };
}
