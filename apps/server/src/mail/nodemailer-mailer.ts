import type { Mail, Mailer } from '@carcosa/domain';
import type { Transporter } from 'nodemailer';

/** Milliseconds for each step of a conversation with the mail server. */
const STEP_MS = 10_000;

export interface MailSettings {
  /** `smtp://user:password@host:587`, or `smtps://` for TLS from the first byte. */
  smtpUrl: string;
  /** The sender: an address, or `Name <address>`. */
  from: string;
}

/** Mail through an SMTP server. The library is loaded with the first mail. */
export class NodemailerMailer implements Mailer {
  readonly #settings: MailSettings;
  #transport: Promise<Transporter> | undefined;

  constructor(settings: MailSettings) {
    this.#settings = settings;
  }

  async send({ to, subject, text }: Mail): Promise<void> {
    this.#transport ??= this.#open();
    const transport = await this.#transport;
    // As an object: a string would be read as a list of addresses.
    await transport.sendMail({ from: this.#settings.from, to: { name: '', address: to }, subject, text });
  }

  /** Greets the mail server, and logs in where it is told to. @throws Error of the library when it cannot */
  async check(): Promise<void> {
    this.#transport ??= this.#open();
    await (await this.#transport).verify();
  }

  async #open(): Promise<Transporter> {
    const { createTransport } = await import('nodemailer');
    const url = new URL(this.#settings.smtpUrl);
    return createTransport({
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port === '' ? (url.protocol === 'smtps:' ? 465 : 587) : Number(url.port),
      secure: url.protocol === 'smtps:',
      ...(url.username === '' ? {} : { auth: credentialsOf(url) }),
      // Nothing of a mail is read from files or other servers.
      disableFileAccess: true,
      disableUrlAccess: true,
      connectionTimeout: STEP_MS,
      greetingTimeout: STEP_MS,
      socketTimeout: STEP_MS,
    });
  }
}

function credentialsOf(url: URL): { user: string; pass: string } {
  return { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) };
}
