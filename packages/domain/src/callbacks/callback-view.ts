import type { Callback } from '@carcosa/contracts';
import type { CallbackRow } from '@carcosa/database';
import { toIsoString } from '@carcosa/kernel';

/** As its owners see it: the address without its query, which may hold a secret of the app's. */
export function callbackView(row: CallbackRow): Callback {
  const { id, projectId, uploadId, fileKey, hook, state, attempts, lastStatus, lastError, resultError } = row;
  const { origin, pathname } = new URL(row.url);
  return {
    ...{ id, projectId, uploadId, fileKey, hook, state, attempts, lastStatus, lastError, resultError },
    url: `${origin}${pathname}`,
    isDev: row.isDev,
    nextAttemptAt: state === 'pending' && !row.isDev ? toIsoString(row.nextAt.getTime()) : null,
    lastAttemptAt: instant(row.lastAt),
    answeredAt: instant(row.answeredAt),
    createdAt: toIsoString(row.createdAt.getTime()),
  };
}

const instant = (date: Date | null): string | null => date && toIsoString(date.getTime());
