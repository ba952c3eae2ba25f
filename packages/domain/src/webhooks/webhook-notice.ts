import { administratorEmails, type Queryable, type WebhookRow } from '@carcosa/database';
import type { Logger } from '@carcosa/kernel';
import type { Mailer } from '../mail/mailer.ts';

export interface WebhookNoticeParts {
  db: Queryable;
  /** Null while no mail server is configured: then the audit log and the event alone tell of it. */
  mailer: Mailer | null;
  logger: Logger;
  publicUrl: string;
}

/** Tells who runs an organization that nothing is sent to one of its webhooks any more. */
export class WebhookNotice {
  readonly #parts: WebhookNoticeParts;

  constructor(parts: WebhookNoticeParts) {
    this.#parts = parts;
  }

  /** Never rejects: what counts is that the webhook is off, which is recorded. */
  async disabled({ id, organizationId, url, description }: WebhookRow, reason: string): Promise<void> {
    const { db, mailer, logger, publicUrl } = this.#parts;
    if (!mailer) return;
    // Of the address only the host: what follows may hold a secret.
    const host = URL.parse(url)?.host ?? 'an unknown host';
    const name = description === '' ? id : `${id} (${description.replaceAll(/\s+/g, ' ').slice(0, 100)})`;
    const text = `The webhook ${name} to ${host} was switched off: ${reason}.

Nothing is sent to it any more. When its receiver is well again, switch it on by

  PATCH ${publicUrl}/api/v1/webhooks/${id} {"enabled": true}

and have what it missed sent by

  POST ${publicUrl}/api/v1/webhooks/${id}/replay

You get this because you run the organization that it belongs to.
`;
    try {
      const mail = { subject: `A webhook to ${host} was switched off`, text };
      const sent = (await administratorEmails(db, organizationId)).map((to) => mailer.send({ to, ...mail }));
      for (const outcome of await Promise.allSettled(sent)) if (outcome.status === 'rejected') throw outcome.reason;
    } catch (error) {
      logger.warn({ err: error, webhookId: id }, 'not everybody could be told that a webhook was switched off');
    }
  }
}
