import type { StepOutcome, TransformJob, TransformJobItem } from '@carcosa/contracts';
import type { ItemCounts, TransformJobItemRow, TransformJobRow } from '@carcosa/database';
import { toIsoString } from '@carcosa/kernel';

const time = (instant: number | null): string | null => (instant === null ? null : toIsoString(instant));
const errorOf = (error: TransformJobRow['error']) => error && { error: error.code, message: error.message };

/** A job as its contract shows it. */
export function jobView(row: TransformJobRow, items: ItemCounts | null): TransformJob {
  const { steps = [] } = row.input as { steps?: Record<string, unknown>[] };
  return {
    id: row.id,
    kind: row.kind,
    projectId: row.projectId,
    tenantId: row.tenantId || null,
    fileId: row.fileId,
    version: row.version,
    origin: row.origin,
    status: row.status,
    progress: Math.round(row.progress),
    step: row.step,
    steps,
    results: row.results as StepOutcome[],
    items: row.kind === 'batch' ? (items ?? { total: 0, completed: 0, failed: 0 }) : null,
    error: errorOf(row.error),
    createdBy: row.createdBy,
    createdAt: toIsoString(row.createdAt),
    startedAt: time(row.startedAt),
    finishedAt: time(row.finishedAt),
  };
}

export function itemView({ results, error, finishedAt, ...row }: TransformJobItemRow): TransformJobItem {
  return { ...row, results: results as StepOutcome[], error: errorOf(error), finishedAt: time(finishedAt) };
}
