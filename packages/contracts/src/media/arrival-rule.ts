import { z } from 'zod';
import { StorableText } from '../common.ts';
import { MAX_STEPS, MediaStep } from './media-step.ts';

/** Most rules of a project. */
export const MAX_ARRIVAL_RULES = 20;

/** Somebody who looks at contents that have come: a service that is called by HTTP, or one that was built into the server. */
export const Inspection = z.strictObject({
  use: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,31}$/)
    .default('http')
    .describe('the inspector: "http", or the name of one that was built in'),
  url: z
    .url({ protocol: /^https?$/ })
    .max(2000)
    .optional()
    .describe('of "http": what is asked'),
});
export type Inspection = z.infer<typeof Inspection>;

/** What is done by itself when a file has come. */
export const ArrivalRule = z
  .strictObject({
    type: z
      .string()
      .regex(/^[a-z0-9.+-]+\/([a-z0-9.+-]+|\*)$/)
      .optional()
      .describe('files of this type, as image/png or image/*; absent: of any'),
    folder: StorableText.max(1024)
      .transform((folder) => folder.replace(/\/$/, ''))
      .optional()
      .describe('files in this folder and below it; absent: all'),
    steps: z
      .array(MediaStep)
      .min(1)
      .max(MAX_STEPS)
      .optional()
      .describe('a transform job; steps that the type does not have are left out'),
    inspect: Inspection.optional(),
  })
  .refine(({ steps, inspect }) => (steps === undefined) !== (inspect === undefined), {
    message: 'a rule has either steps or inspect',
  })
  .refine(({ inspect }) => inspect?.use !== 'http' || inspect.url !== undefined, { message: 'inspect needs a url' });
export type ArrivalRule = z.infer<typeof ArrivalRule>;

/** Whether a rule is about a file. */
export function ruleCovers({ type, folder }: ArrivalRule, file: { contentType: string; path: string }): boolean {
  const isOfType =
    type === undefined ||
    type === file.contentType ||
    (type.endsWith('/*') && file.contentType.startsWith(type.slice(0, -1)));
  return isOfType && (folder === undefined || folder === '' || file.path.startsWith(`${folder}/`));
}

/** What an inspector may answer. What it does not say stays as it is. */
export const Findings = z.object({
  tags: z.array(StorableText.trim().min(1).max(64)).max(50).optional().describe('added to those that the file has'),
  metadata: z.record(z.string(), z.unknown()).optional().describe('added to that of the file, under these names'),
  reject: StorableText.min(1)
    .max(300)
    .optional()
    .describe('why the content must not be served; it is not, from then on'),
});
export type Findings = z.infer<typeof Findings>;
