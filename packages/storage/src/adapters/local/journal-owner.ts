import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { processIdentity } from '@carcosa/kernel/node';

/** Milliseconds without a change after which a journal of another machine counts as left: a living owner settles in less than one minute. */
const LEFT_AFTER_MS = 10 * 60 * 1000;

const host = () => createHash('sha256').update(hostname()).digest('hex').slice(0, 12);

/** Names this very run of this process: machine, number, start. Null where the system does not say. */
export async function journalOwner(): Promise<string | null> {
  const identity = await processIdentity(process.pid);
  return identity === undefined ? null : `${host()}.${process.pid}.${identity}`;
}

/**
 * Whether the process that a journal belongs to runs: `yes`, `no`, or `maybe` where it ran elsewhere.
 * @param changedAt when the journal was last written, in ms since the epoch
 */
export async function isOwnerAlive(
  owner: string,
  { changedAt, now }: { changedAt: number; now: number },
): Promise<'yes' | 'no' | 'maybe'> {
  const [machine, pid, ...identity] = owner.split('.');
  if (machine !== host()) return now - changedAt >= LEFT_AFTER_MS ? 'no' : 'maybe';
  return (await processIdentity(Number(pid))) === identity.join('.') ? 'yes' : 'no';
}
