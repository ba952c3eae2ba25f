import type { PendingLink } from '@carcosa/contracts';
import { CarcosaError, type Clock, type Logger, toIsoString } from '@carcosa/kernel';
import type { Actor } from '../access/actor.ts';
import type { Mail, Mailer } from './mailer.ts';

/** Most mails of this program that one address gets in an hour, however many ask for them: nobody's mailbox is to be flooded by us. */
const MAX_AN_HOUR = 10;
const HOUR_MS = 3_600_000;
/** Most addresses that are counted; those that got mail longest ago are forgotten first. */
const MAX_COUNTED = 10_000;

/** Milliseconds that mail gets when the server stops. */
const DRAIN_MS = 5_000;

/** Most links that are kept for an administrator: an attacker may ask for many. */
const MAX_PENDING = 500;

export interface LinkMailParts {
  /** Null while no mail server is configured. */
  mailer: Mailer | null;
  clock: Clock;
  logger: Logger;
}

/** A mail whose point is one link, which opens something for whoever holds it. */
export interface Link {
  kind: PendingLink['kind'];
  email: string;
  url: string;
  /** Seconds that the link serves. */
  expiresIn: number;
  mail: Omit<Mail, 'to'>;
}

/**
 * Sends links by mail. Without a mail server, a link is written to the server's log, and kept in memory for server administrators to
 * hand on until it expires.
 */
export class LinkMail {
  readonly #parts: LinkMailParts;
  #pending: PendingLink[] = [];
  /** When each address got mail in the last hour; milliseconds since the epoch. */
  readonly #sent = new Map<string, number[]>();
  readonly #underWay = new Set<Promise<void>>();

  constructor(parts: LinkMailParts) {
    this.#parts = parts;
  }

  /** Whether mail goes out; else links wait for an administrator. */
  get isConfigured(): boolean {
    return this.#parts.mailer !== null;
  }

  /** At once: nobody can tell from how long it takes whether there was something to send. Failures are logged. */
  send(link: Link): void {
    const { mailer } = this.#parts;
    if (mailer) this.#deliver(mailer, { to: link.email, ...link.mail });
    else this.#keep(link);
  }

  /** The same for a mail that carries no link. Without a mail server it is not sent. */
  notify(mail: Mail): void {
    if (this.#parts.mailer) this.#deliver(this.#parts.mailer, mail);
  }

  /** Links that wait to be handed on, the newest first. @throws CarcosaError `forbidden` for all but server administrators */
  pending(actor: Actor): PendingLink[] {
    if (actor.type !== 'user' || !actor.isServerAdmin) throw new CarcosaError('forbidden');
    this.#dropExpired();
    return [...this.#pending].reverse();
  }

  /** Resolves when the mail that is under way has been handed over or has failed, and after five seconds in any case. */
  async drain(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        this.#parts.logger.warn(
          { mails: this.#underWay.size },
          'mail was given up that its server did not take in time',
        );
        resolve();
      }, DRAIN_MS);
    });
    await Promise.race([Promise.all(this.#underWay), late]);
    clearTimeout(timer);
  }

  #deliver(mailer: Mailer, mail: Mail): void {
    if (!this.#mayGet(mail.to)) return;
    const sending = mailer
      .send(mail)
      .catch((error: unknown) => this.#parts.logger.error({ err: error }, 'a mail could not be sent'))
      .finally(() => this.#underWay.delete(sending));
    this.#underWay.add(sending);
  }

  #mayGet(address: string): boolean {
    const now = this.#parts.clock.now();
    const times = (this.#sent.get(address) ?? []).filter((time) => time > now - HOUR_MS);
    if (times.length >= MAX_AN_HOUR) {
      this.#parts.logger.warn({}, 'a mail was not sent: its address has had as many in this hour as it may');
      return false;
    }
    this.#sent.delete(address);
    this.#sent.set(address, [...times, now]);
    const [oldest] = this.#sent.keys();
    if (this.#sent.size > MAX_COUNTED && oldest !== undefined) this.#sent.delete(oldest);
    return true;
  }

  #keep({ kind, email, url, expiresIn }: Link): void {
    const now = this.#parts.clock.now();
    const link = { kind, email, url, createdAt: toIsoString(now), expiresAt: toIsoString(now + expiresIn * 1000) };
    this.#dropExpired();
    this.#pending.push(link);
    if (this.#pending.length > MAX_PENDING) this.#pending.shift();
    this.#parts.logger.warn({ kind, email, link: url }, 'no mail server is configured: hand this link on yourself');
  }

  #dropExpired(): void {
    const now = toIsoString(this.#parts.clock.now());
    this.#pending = this.#pending.filter(({ expiresAt }) => expiresAt > now);
  }
}
