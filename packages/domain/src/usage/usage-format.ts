import { USAGE_METRIC_NAMES } from '@carcosa/contracts';
import type { UsageLine } from '@carcosa/database';
import { csvLine } from '../audit/csv.ts';

const DIMENSIONS = ['day', 'projectId', 'tenantId', 'bucketId', 'keyId'] as const;

/** How a format begins, and writes one row. */
export const USAGE_FORMATS = {
  csv: {
    head: csvLine([...DIMENSIONS, ...USAGE_METRIC_NAMES, 'cost']),
    line: (row: UsageLine, cost: number): string =>
      csvLine([...DIMENSIONS.map((name) => row[name] || null), ...USAGE_METRIC_NAMES.map((name) => row[name]), cost]),
  },
  jsonl: {
    head: '',
    line: (row: UsageLine, cost: number): string =>
      `${JSON.stringify({ ...row, ...Object.fromEntries(DIMENSIONS.map((name) => [name, row[name] || null])), cost })}\n`,
  },
} as const;
