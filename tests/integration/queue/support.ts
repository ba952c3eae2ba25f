import { JOBS, type JobName } from '@carcosa/contracts';
import { type Database, Listener } from '@carcosa/database';
import { silentLogger } from '@carcosa/kernel';
import { type JobContext, JobHandlers, JobQueue } from '@carcosa/queue';

export type Handle = (objectId: string, context: JobContext) => Promise<void>;

/** A node's queue, which does `hash-object` by `handle` and counts the others; null only makes jobs. */
export async function openQueue(
  { connectionString }: Database,
  handle: Handle | null,
  counts: Partial<Record<JobName, number>> = {},
  superviseSeconds?: number,
): Promise<{ queue: JobQueue; listener: Listener }> {
  const listener = new Listener({ connectionString, logger: silentLogger });
  const queue = new JobQueue({
    connectionString,
    logger: silentLogger,
    subscribe: (channel, heard, missed) => {
      const subscriber = { notified: (payload: unknown) => heard(payload as Record<string, unknown>), missed };
      const subscribed = listener.subscribe(channel, subscriber);
      void subscribed.then(() => missed());
      return () => void subscribed.then((end) => end());
    },
    ...(superviseSeconds === undefined ? {} : { superviseSeconds }),
  });
  queue.start(handle && handlers(handle, counts));
  await queue.started;
  return { queue, listener };
}

function handlers(handle: Handle, counts: Partial<Record<JobName, number>>): JobHandlers {
  const all = new JobHandlers().on('hash-object', ({ objectId }, context) => handle(objectId, context));
  for (const name of Object.keys(JOBS) as JobName[]) {
    if (name === 'hash-object') continue;
    all.on(name, async () => {
      counts[name] = (counts[name] ?? 0) + 1;
    });
  }
  return all;
}
