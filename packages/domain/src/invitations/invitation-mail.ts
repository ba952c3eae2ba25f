import type { Link } from '../mail/link-mail.ts';
import { INVITATION_LIFETIME_MS, type InvitationMessage } from './service.ts';

/** The mail that brings somebody an invitation. */
export function invitationLink(publicUrl: string, { to, organization, team, role, link }: InvitationMessage): Link {
  const place = team === null ? plain(organization) : `the team ${plain(team)} of ${plain(organization)}`;
  const text = `Hello,

you are invited to ${place} at ${publicUrl}, as ${role === 'member' || role === 'viewer' ? 'a' : 'an'} ${role}. To accept or decline, open this link:

${link}

It serves for seven days, and for this e-mail address alone. If you do not know what this is about, ignore this mail.
`;
  const mail = { subject: `An invitation to ${plain(organization)}`, text };
  return { kind: 'invitation', email: to, url: link, expiresIn: INVITATION_LIFETIME_MS / 1000, mail };
}

/** Names are chosen by strangers: none may begin a line of its own in a mail of ours, or carry a link. */
function plain(name: string): string {
  const oneLine = name.replace(/\s+/g, ' ').trim().slice(0, 60);
  return /[/\\@]|www\.|\.\w/i.test(oneLine) ? 'an organization' : `"${oneLine}"`;
}
