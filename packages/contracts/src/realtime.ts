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

/** Most rooms that one connection may be in. */
export const MAX_ROOMS = 100;

const Room = z.string().max(100).describe('what and which, such as project:prj_…');
export const SubscribeMessage = z.strictObject({
  rooms: z.array(Room).min(1).max(MAX_ROOMS),
  since: z
    .string()
    .max(2_000)
    .optional()
    .describe('the cursor that came with the last event, or its id: what happened since is told first'),
});
export type SubscribeMessage = z.infer<typeof SubscribeMessage>;
export const UnsubscribeMessage = z.strictObject({ rooms: z.array(Room).min(1).max(MAX_ROOMS) });

export const EventStreamQuery = z.strictObject({
  organizationId: z.string().optional().describe('all that happens in the organization, for its owners and admins'),
  projectId: z.string().optional().describe('what happens in the project; a key or token knows its own'),
  tenantId: z.string().max(100).optional().describe('what happens to the tenant and its files'),
  rooms: z.string().max(10_000).optional().describe('instead: names of rooms, separated by commas'),
  since: SubscribeMessage.shape.since.describe('where to go on; the header Last-Event-ID says the same'),
});
export type EventStreamQuery = z.infer<typeof EventStreamQuery>;
