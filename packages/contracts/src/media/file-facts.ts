import { z } from 'zod';

const count = z.number().int().nonnegative();
const text = z.string();

/** What is known of a file from its bytes. Nothing of it says where it was made: that is kept apart. */
export const FileFacts = z.object({
  kind: z.enum(['image', 'video', 'audio', 'document']),
  problem: text.optional().describe('why the file could not be read: it is damaged, or of another kind'),
  width: count.optional().describe('pixels as it is shown, turned upright'),
  height: count.optional(),
  orientation: z.enum(['landscape', 'portrait', 'square']).optional(),
  exifOrientation: z.number().int().min(1).max(8).optional(),
  hasAlpha: z.boolean().optional(),
  frames: count.optional().describe('of an animation'),
  pages: count.optional().describe('of a document'),
  colors: z
    .array(z.object({ hex: text, share: z.number() }))
    .optional()
    .describe('the most frequent first; shares add up to at most 1'),
  thumbhash: text.optional().describe('base64'),
  blurhash: text.optional(),
  perceptualHash: text.optional().describe('64 bits in hex; pictures that look alike differ in few of them'),
  exif: z
    .record(text, z.union([text, z.number()]))
    .optional()
    .describe('camera and exposure; never the place'),
  duration: z.number().optional().describe('seconds'),
  bitRate: count.optional().describe('bits a second of all together'),
  container: text.optional(),
  video: z
    .object({
      codec: text,
      profile: text.optional(),
      frameRate: z.number().optional(),
      bitRate: count.optional(),
      pixelFormat: text.optional(),
      rotation: z.number().optional(),
    })
    .optional(),
  audio: z.object({ codec: text, channels: count, sampleRate: count, bitRate: count.optional() }).optional(),
  tags: z.record(text, text).optional().describe('title, artist, album and their like'),
  title: text.optional().describe('of a document'),
  author: text.optional(),
  hasText: z.boolean().optional().describe('whether text was found in it, which searches find'),
});
export type FileFacts = z.infer<typeof FileFacts>;

/** Where a picture was taken, by its own word. */
export const FileLocation = z.object({ latitude: z.number(), longitude: z.number(), altitude: z.number().optional() });
export type FileLocation = z.infer<typeof FileLocation>;

/** All that is known of a file, for those who may read it. */
export const FileFactsDetail = z.object({
  facts: FileFacts.nullable().describe('null until known, and for what has none'),
  location: FileLocation.nullable().describe('never part of what is public, nor of events'),
  text: text.nullable().describe('of a document, at most 100,000 characters'),
});
export type FileFactsDetail = z.infer<typeof FileFactsDetail>;
