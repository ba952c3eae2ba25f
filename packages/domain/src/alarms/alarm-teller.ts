import type { AlarmNews, JobData } from '@carcosa/contracts';
import { type AlarmRow, findAlarm, type Queryable } from '@carcosa/database';
import { isId, type Logger } from '@carcosa/kernel';
import type { Mailer } from '../mail/mailer.ts';
import type { Sealer } from '../secrets/sealer.ts';
import type { WebhookRequest, WebhookSender } from '../webhooks/sender.ts';
import { alarmSecretOwner, chatUrlOwner } from './alarm-secrets.ts';
import { chatBody, headline, messageText } from './alarm-text.ts';

export interface AlarmTellerParts {
  db: Queryable;
  sealer: Sealer;
  /** Null while no mail server is configured. */
  mailer: Mailer | null;
  sender: Pick<WebhookSender, 'send'>;
  logger: Logger;
  /** Without a "/" at its end. */
  publicUrl: string;
}

export type AlarmMessage = JobData<'tell-alarm'>;

/** Hands news of alarms to those who are to be told. */
export class AlarmTeller {
  readonly #parts: AlarmTellerParts;

  constructor(parts: AlarmTellerParts) {
    this.#parts = parts;
  }

  /** As a job: nothing is to be told of an alarm that was removed meanwhile. Rejects when the receiver did not take it. */
  async tell(message: AlarmMessage, signal?: AbortSignal): Promise<void> {
    const { alarmId } = message.news;
    const alarm = isId('alarm', alarmId) ? await findAlarm(this.#parts.db, alarmId) : null;
    if (!alarm) return;
    if (message.to.type === 'email' && !this.#parts.mailer) {
      this.#parts.logger.warn(
        { alarm: alarmId, headline: headline(message.news) },
        'no mail server is configured to tell of an alarm',
      );
      return;
    }
    await this.hand(alarm, message, signal);
  }

  /** Rejects with the reason, which says nothing of what the receiver answered but its status, when it was not taken. */
  async hand(alarm: AlarmRow, { id, at, to, news }: AlarmMessage, signal?: AbortSignal): Promise<void> {
    const { mailer, sealer, publicUrl } = this.#parts;
    const text = messageText(news, publicUrl);
    if (to.type === 'email') {
      if (!mailer) throw new Error('no mail server is configured');
      await mailer.send({ to: to.address, subject: `[Carcosa] ${headline(news)}`, text });
    } else if (to.type === 'webhook') {
      if (alarm.webhookUrl === null || alarm.webhookSecret === null) return;
      const secret = await sealer.open(alarm.webhookSecret, alarmSecretOwner(alarm.id));
      const body = JSON.stringify({ type: typeOf(news), timestamp: at, data: news });
      await this.#post({ url: alarm.webhookUrl, secrets: [secret], id, body }, signal);
    } else {
      if (alarm.chatUrl === null) return;
      const url = await sealer.open(alarm.chatUrl, chatUrlOwner(alarm.id));
      await this.#post({ url, secrets: [], id, body: chatBody(url, text) }, signal);
    }
  }

  async #post(request: WebhookRequest, signal: AbortSignal | undefined): Promise<void> {
    const { error } = await this.#parts.sender.send({ ...request, ...(signal ? { signal } : {}) });
    if (error !== null) throw new Error(error);
  }
}

function typeOf({ isTest, fired }: AlarmNews): 'alarm.test' | 'alarm.fired' | 'alarm.resolved' {
  if (isTest) return 'alarm.test';
  return fired.length > 0 ? 'alarm.fired' : 'alarm.resolved';
}
