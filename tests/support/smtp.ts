import type { AddressInfo } from 'node:net';
import PostalMime, { type Email } from 'postal-mime';
import { SMTPServer } from 'smtp-server';
import { until } from './clock.ts';

/** A mail server that keeps what it is given. */
export interface MailServer {
  /** For CARCOSA_SMTP_URL. */
  readonly url: string;
  /** All mail so far, in the order in which it came. */
  readonly mails: readonly Email[];
  /** The next mail to an address that no call has given yet. */
  next(to: string): Promise<Email>;
  /** From now on, mail is refused. */
  refuse(): void;
  close(): Promise<void>;
}

export const SMTP_USER = 'carcosa';
export const SMTP_PASSWORD = 'p@ss:word/of-smtp';

export async function startMailServer(): Promise<MailServer> {
  const mails: Email[] = [];
  const given = new Set<Email>();
  let refusing = false;
  const server = new SMTPServer({
    disabledCommands: ['STARTTLS'],
    allowInsecureAuth: true,
    onAuth: ({ username, password }, _session, done) => {
      if (username === SMTP_USER && password === SMTP_PASSWORD) done(null, { user: username });
      else done(new Error('wrong credentials'));
    },
    onData: (stream, _session, done) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        if (refusing) return done(new Error('not now'));
        PostalMime.parse(Buffer.concat(chunks)).then((mail) => {
          mails.push(mail);
          done();
        }, done);
      });
    },
  });
  server.on('error', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.server.address() as AddressInfo;
  const user = `${SMTP_USER}:${encodeURIComponent(SMTP_PASSWORD)}`;
  return {
    url: `smtp://${user}@127.0.0.1:${port}`,
    mails,
    next: (to) =>
      until(
        () => {
          const mail = mails.find((each) => !given.has(each) && each.to?.some(({ address }) => address === to));
          if (mail) given.add(mail);
          return mail;
        },
        { what: `a mail to ${to}` },
      ),
    refuse: () => {
      refusing = true;
    },
    close: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

/** The address of the one link in a mail, and the token behind its "#". */
export function linkOf(text: string | undefined): { url: URL; token: string } {
  const found = /https?:\/\/\S+#token=\S+/.exec(text ?? '')?.[0];
  if (found === undefined) throw new Error(`no link in: ${text}`);
  const url = new URL(found);
  return { url, token: new URLSearchParams(url.hash.slice(1)).get('token') ?? '' };
}
