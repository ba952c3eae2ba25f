import type { JobName } from '@carcosa/contracts';

/** Where jobs end that failed for the last time; they stay to be looked at and sent again. */
export const DEAD_LETTERS = 'dead-letters';

export interface JobSettings {
  /** Seconds between two runs; one node makes the job, whichever comes first. Absent: made by whoever needs it. */
  every?: number;
  /** How many of them one process does at a time. */
  concurrency: number;
}

export const JOB_SETTINGS: Record<JobName, JobSettings> = {
  'evaluate-alarms': { every: 60, concurrency: 1 },
  'tell-alarm': { concurrency: 5 },
  'collect-garbage': { every: 60, concurrency: 1 },
  'remove-files': { concurrency: 1 },
  'purge-trash': { every: 3600, concurrency: 1 },
  'retain-audit': { every: 3600, concurrency: 1 },
  // Until it is sealed, an entry could be changed without a trace by whoever owns the database.
  'seal-audit': { every: 10, concurrency: 1 },
  'retain-events': { every: 3600, concurrency: 1 },
  'retain-usage': { every: 3600, concurrency: 1 },
  'report-usage': { every: 600, concurrency: 1 },
  'fold-usage': { every: 60, concurrency: 1 },
  'hash-object': { concurrency: 2 },
  'scan-object': { concurrency: 4 },
  'inspect-file': { concurrency: 8 },
  'read-facts': { concurrency: 2 },
  // FFmpeg itself uses all processors.
  'run-transform': { concurrency: 1 },
  'run-small-transform': { concurrency: 2 },
  // Most of the time it waits for others.
  'deliver-callback': { concurrency: 20 },
  'settle-signed-uploads': { every: 60, concurrency: 1 },
};

/** Seconds. A worker that shows no sign of life for so long has died, and its job is given to another. */
export const HEARTBEAT_SECONDS = 60;

const DAY = 24 * 3600;

/** What pg-boss is told of a queue. Times in seconds. */
export function queueOptions(settings: JobSettings) {
  return {
    retryLimit: 8,
    retryDelay: 5,
    retryBackoff: true,
    retryDelayMax: 3600,
    heartbeatSeconds: HEARTBEAT_SECONDS,
    // Hashing a file of terabytes takes hours; the heartbeat is what finds the dead.
    expireInSeconds: 12 * 3600,
    retentionSeconds: 14 * DAY,
    deleteAfterSeconds: settings.every === undefined ? DAY : 3600,
    // The next round makes up for a scheduled one that failed.
    ...(settings.every === undefined ? { deadLetter: DEAD_LETTERS } : {}),
  };
}
