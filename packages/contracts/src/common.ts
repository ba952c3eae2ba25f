import { z } from 'zod';
import { focalPointProblem, isStorable, MAX_METADATA_BYTES, metadataProblem } from './storable.ts';

/** ISO 8601 in UTC with milliseconds. */
export const Timestamp = z.iso.datetime().describe('ISO 8601 in UTC, e.g. 2026-01-31T12:00:00.000Z');

/** A number of bytes: JSON numbers are exact up to 2^53 - 1. */
export const ByteCount = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).describe('bytes');

export const Visibility = z.enum(['public', 'private']);
export type Visibility = z.infer<typeof Visibility>;

/** Text that PostgreSQL can hold, and be asked for. */
export const StorableText = z.string().refine(isStorable, { message: 'has a NUL or half a character' });

export const Metadata = z
  .record(z.string(), z.unknown())
  .superRefine((value, context) => {
    const problem = metadataProblem(value) ?? focalPointProblem(value);
    if (problem) context.addIssue({ code: 'custom', message: problem });
  })
  .describe(`any JSON object, up to ${MAX_METADATA_BYTES / 1024} KiB`);
export type Metadata = z.infer<typeof Metadata>;

export const Tags = z
  .array(StorableText.trim().min(1).max(64))
  .max(50)
  .transform((tags) => [...new Set(tags)])
  .describe('up to 50 tags of up to 64 characters');

/** Wraps `data` as every success answer does. */
export const success = <Data extends z.ZodType>(data: Data) =>
  z.object({ data, success: z.literal(true), timestamp: Timestamp });

/** A page of a list; pass `nextCursor` back as `cursor` for the next one. */
export const page = <Item extends z.ZodType>(item: Item) =>
  z.object({ items: z.array(item), nextCursor: z.string().nullable(), hasMore: z.boolean() });

export interface Page<Item> {
  items: Item[];
  nextCursor: string | null;
  hasMore: boolean;
}

export const ErrorBody = z.object({
  error: z.string().describe('a code of docs/errors.md'),
  message: z.string(),
  status: z.number().int(),
  timestamp: Timestamp,
  requestId: z.string(),
  details: z.unknown().optional(),
});
export type ErrorBody = z.infer<typeof ErrorBody>;

/** A whole number in an address, as digits: not "", " 7" or "1e3", which JavaScript would take for numbers. */
export const queryInteger = (min: number, max: number) =>
  z.preprocess(
    (text) => (typeof text === 'string' && /^\d{1,16}$/.test(text) ? Number(text) : text),
    z.number().int().min(min).max(max),
  );
export const queryBoolean = z
  .enum(['true', 'false', '1', '0', ''])
  .transform((value) => value !== 'false' && value !== '0');
