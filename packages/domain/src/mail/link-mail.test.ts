import { ManualClock, silentLogger } from '@carcosa/kernel';
import { beforeEach, describe, expect, it } from 'vitest';
import type { UserActor } from '../access/actor.ts';
import { type Link, LinkMail } from './link-mail.ts';
import type { Mail } from './mailer.ts';

const admin = { type: 'user', isServerAdmin: true } as UserActor;
const link = (change: Partial<Link> = {}): Link => ({
  kind: 'reset-password',
  email: 'a@example.com',
  url: 'http://x/#token=1',
  expiresIn: 3600,
  mail: { subject: 'A link', text: 'http://x/#token=1' },
  ...change,
});

let clock: ManualClock;
let logged: Record<string, unknown>[];
let sent: Mail[];
beforeEach(() => {
  clock = new ManualClock();
  logged = [];
  sent = [];
});

const logger = { ...silentLogger, warn: (fields: Record<string, unknown>) => void logged.push(fields) };
const without = () => new LinkMail({ mailer: null, clock, logger });
const withServer = () => new LinkMail({ mailer: { send: async (mail) => void sent.push(mail) }, clock, logger });

describe('without a mail server', () => {
  it('a link is in the log, and waits for an administrator until it expires', () => {
    const mail = without();
    mail.send(link());
    clock.advance(1000);
    mail.send(link({ email: 'b@example.com', expiresIn: 10 }));
    expect(logged[0]).toMatchObject({ email: 'a@example.com', link: 'http://x/#token=1' });
    expect(mail.pending(admin).map(({ email }) => email)).toEqual(['b@example.com', 'a@example.com']);
    clock.advance(10_000);
    expect(mail.pending(admin).map(({ email }) => email)).toEqual(['a@example.com']);
  });

  it('keeps no more than five hundred links', () => {
    const mail = without();
    for (let at = 0; at < 501; at++) mail.send(link({ email: `${at}@example.com` }));
    const pending = mail.pending(admin);
    expect(pending).toHaveLength(500);
    expect(pending.at(-1)?.email).toBe('1@example.com');
  });

  it('shows them to nobody else', () => {
    for (const actor of [{ ...admin, isServerAdmin: false }, { type: 'system' } as const])
      expect(() => without().pending(actor)).toThrow(expect.objectContaining({ code: 'forbidden' }));
  });
});

describe('with a mail server', () => {
  it('a link is in no log and waits for nobody', async () => {
    const mail = withServer();
    mail.send(link());
    await mail.drain();
    expect(sent).toEqual([{ to: 'a@example.com', subject: 'A link', text: 'http://x/#token=1' }]);
    expect(logged).toEqual([]);
    expect(mail.pending(admin)).toEqual([]);
  });

  it('one address gets ten an hour, whoever asks; others get theirs', async () => {
    const mail = withServer();
    for (let at = 0; at < 30; at++) mail.send(link());
    mail.send(link({ email: 'b@example.com' }));
    await mail.drain();
    expect(sent.filter(({ to }) => to === 'a@example.com')).toHaveLength(10);
    expect(sent.filter(({ to }) => to === 'b@example.com')).toHaveLength(1);
    clock.advance(3_600_000);
    mail.send(link());
    await mail.drain();
    expect(sent.filter(({ to }) => to === 'a@example.com')).toHaveLength(11);
  });
});
