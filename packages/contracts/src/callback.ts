import { z } from 'zod';
import { queryInteger, StorableText, Timestamp } from './common.ts';

export const CallbackState = z.enum(['pending', 'delivered', 'failed']);

/** One word to an app about one upload that it let happen. */
export const Callback = z.object({
  id: z.string(),
  projectId: z.string(),
  uploadId: z.string(),
  fileKey: z.string(),
  hook: z.enum(['callback', 'error']).describe('that the upload is whole, or that it failed'),
  url: z.string().describe('whom it goes to, without the query'),
  isDev: z.boolean().describe('it goes out by the stream that an app in development holds open, not by a request'),
  state: CallbackState.describe('failed: the last attempt was made; replay it when the reason is gone'),
  attempts: z.number().int(),
  nextAttemptAt: Timestamp.nullable(),
  lastAttemptAt: Timestamp.nullable(),
  lastStatus: z.number().int().nullable().describe('of the answer; null where there was none'),
  lastError: z.string().nullable().describe('why the last attempt does not count'),
  resultError: z.string().nullable().describe('what the app said went wrong on its side'),
  answeredAt: Timestamp.nullable().describe('when the app said what it made of it'),
  createdAt: Timestamp,
});
export type Callback = z.infer<typeof Callback>;

export const ListCallbacksQuery = z.strictObject({
  projectId: z.string().optional(),
  state: CallbackState.optional(),
  fileKey: StorableText.max(128).optional(),
  limit: queryInteger(1, 100).default(50),
  cursor: z.string().max(500).optional(),
});
export type ListCallbacksQuery = z.infer<typeof ListCallbacksQuery>;
