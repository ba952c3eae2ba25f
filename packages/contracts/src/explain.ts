import { z } from 'zod';
import { PermissionName } from './api-key.ts';
import { LimitTier } from './limits.ts';
import { FilePath } from './path.ts';
import { QUOTA_METRICS } from './quotas.ts';

/** A question of the form: may this actor do that here? */
export const ExplainBody = z.strictObject({
  projectId: z.string().optional(),
  permission: PermissionName,
  actor: z
    .strictObject({ type: z.enum(['api-key', 'user']), id: z.string() })
    .optional()
    .describe('absent: whoever asks'),
  path: FilePath.optional().describe('of a file that is there or will be'),
  tenantId: z.string().optional().describe('whose file it is or will be'),
  tier: LimitTier.optional().describe('the rate limit to tell; default: that of such a request'),
});
export type ExplainBody = z.infer<typeof ExplainBody>;

export const Explanation = z.object({
  allowed: z.boolean(),
  error: z.string().nullable().describe('the code that a refusal has; null when it is allowed'),
  reasons: z.array(z.string()).describe('each step of the decision, for a person'),
  grant: z
    .object({ projectId: z.string(), tenantId: z.string().nullable(), pathPrefix: z.string() })
    .nullable()
    .describe('the part of the project where it is allowed'),
  bucket: z.object({ id: z.string(), reason: z.string() }).nullable().describe('where a new file would go'),
  limit: z
    .object({
      tier: LimitTier,
      limit: z.number().nullable().describe('requests in the window; null: any number'),
      used: z.number().int(),
      windowSeconds: z.number().int(),
      reason: z.string(),
    })
    .nullable(),
  quotas: z
    .array(
      z.object({
        scopeId: z.string().describe('of the organization, project or tenant'),
        metric: z.enum(QUOTA_METRICS),
        limit: z.number(),
        used: z.number().describe('with what is reserved'),
      }),
    )
    .describe('the quotas in force for such a file'),
});
export type Explanation = z.infer<typeof Explanation>;
