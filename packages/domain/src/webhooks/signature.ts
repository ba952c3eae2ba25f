import { createHmac } from 'node:crypto';
import type { Random } from '@carcosa/kernel';

const PREFIX = 'whsec_';
/** Standard Webhooks wants 24 to 64. */
const SECRET_BYTES = 32;

export function newWebhookSecret(random: Random): string {
  return PREFIX + Buffer.from(random.bytes(SECRET_BYTES)).toString('base64');
}

export interface SignedMessage {
  id: string;
  /** Whole seconds since the epoch. */
  timestamp: number;
  body: string;
}

/**
 * The headers of the Standard Webhooks specification: `webhook-id`, `webhook-timestamp`, and `webhook-signature` with one signature
 * (version 1, HMAC-SHA256) for each secret, the newest first.
 */
export function signatureHeaders({ id, timestamp, body }: SignedMessage, secrets: readonly string[]) {
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.slice(PREFIX.length), 'base64');
    return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`;
  });
  return { 'webhook-id': id, 'webhook-timestamp': String(timestamp), 'webhook-signature': signatures.join(' ') };
}
