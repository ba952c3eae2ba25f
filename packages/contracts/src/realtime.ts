import { z } from 'zod';

export const OPERATION_STATUSES = ['waiting', 'processing', 'completed', 'failed', 'cancelled'] as const;
export type OperationStatus = (typeof OPERATION_STATUSES)[number];

/** Nothing comes after one of these. */
export const isEnded = (status: OperationStatus): boolean => status !== 'waiting' && status !== 'processing';

/** Where something that takes a while stands: an upload, or a job. */
export const OperationProgressMessage = z.object({
  id: z.string().describe('of the upload or job'),
  status: z.enum(OPERATION_STATUSES),
  progress: z.number().min(0).max(100).describe('percent, a whole number; 100 with `completed` alone'),
  bytes: z
    .object({ done: z.number().int().min(0), total: z.number().int().min(0).nullable() })
    .optional()
    .describe('of uploads: what has arrived, and how much there is, where that was said'),
  step: z.string().optional().describe('of jobs with several steps: which one it is at'),
  error: z.string().optional().describe('a code of docs/errors.md, with `failed`'),
});
export type OperationProgressMessage = z.infer<typeof OperationProgressMessage>;
