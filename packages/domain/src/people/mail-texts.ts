import type { Link } from '../mail/link-mail.ts';
import type { Mail } from '../mail/mailer.ts';
import { LINK_SECONDS } from './library-names.ts';

/** Whom a mail is for. */
export interface Addressee {
  email: string;
  name: string;
}

// The token stands behind "#": browsers keep that part to themselves, so that it reaches no log and no Referer.
const page = (publicUrl: string, name: string, token: string): string =>
  `${publicUrl}/auth/${name}#token=${encodeURIComponent(token)}`;

export function verificationLink(publicUrl: string, { email, name }: Addressee, token: string): Link {
  const url = page(publicUrl, 'verify-email', token);
  const text = `Hello ${oneLine(name)},

please confirm that this e-mail address is yours by opening this link:

${url}

It serves for 24 hours. If you did not register at ${publicUrl}, ignore this mail: nothing happens without the link.
`;
  const mail = { subject: 'Confirm your e-mail address', text };
  return { kind: 'verify-email', email, url, expiresIn: LINK_SECONDS.verifyEmail, mail };
}

export function resetLink(publicUrl: string, { email, name }: Addressee, token: string): Link {
  const url = page(publicUrl, 'reset-password', token);
  const text = `Hello ${oneLine(name)},

somebody, probably you, asked to set a new password for your account at ${publicUrl}. To do so, open this link:

${url}

It serves once, within one hour. If it was not you, ignore this mail: your password stays as it is.
`;
  const mail = { subject: 'Set a new password', text };
  return { kind: 'reset-password', email, url, expiresIn: LINK_SECONDS.resetPassword, mail };
}

/** To a new address: only who reads the mail there can make it that of her account. */
export function changeEmailLink(publicUrl: string, { email, name }: Addressee, token: string): Link {
  const url = page(publicUrl, 'change-email', token);
  const text = `Hello ${oneLine(name)},

somebody, probably you, asked to use this e-mail address for the account at ${publicUrl} from now on. To confirm, open this link:

${url}

It serves once, within one hour. If it was not you, ignore this mail: nothing happens without the link.
`;
  const mail = { subject: 'Confirm your new e-mail address', text };
  return { kind: 'change-email', email, url, expiresIn: LINK_SECONDS.changeEmail, mail };
}

/** To the address that an account had until now. */
export function emailChangedMail(publicUrl: string, { email, name }: Addressee, newEmail: string): Mail {
  const text = `Hello ${oneLine(name)},

the e-mail address of your account at ${publicUrl} is ${newEmail} from now on. Mail of that account does not come here any more.

If it was not you who changed it, tell whoever runs that server at once.
`;
  return { to: email, subject: 'Your e-mail address was changed', text };
}

/** To the owner of an address that somebody tries to register a second time. */
export function knownEmailMail(publicUrl: string, { email, name }: Addressee): Mail {
  const text = `Hello ${oneLine(name)},

somebody, probably you, tried to register at ${publicUrl} with this e-mail address, which has an account already.

If it was you, log in, or ask for a new password if you have forgotten yours. If it was not you, ignore this mail: nothing has
changed.
`;
  return { to: email, subject: 'You have an account already', text };
}

/** Names are chosen by strangers: none may begin a paragraph of its own in a mail of ours, or carry a link. */
function oneLine(name: string): string {
  const plain = name.replace(/\s+/g, ' ').trim();
  return /[/\\@]|www\.|\.\w/i.test(plain) ? 'there' : plain.slice(0, 60);
}
