import { z } from 'zod';

const HOUR = 3600;
const QUARTER = 900;

/** Requests that a caller may make in a sliding window of so many seconds; all but the windows can be changed while the server runs. */
export const LIMIT_TIERS = {
  read: { limit: 10_000, windowSeconds: HOUR },
  standard: { limit: 1_000, windowSeconds: HOUR },
  write: { limit: 500, windowSeconds: HOUR },
  expensive: { limit: 100, windowSeconds: HOUR },
  delete: { limit: 50, windowSeconds: HOUR },
  admin: { limit: 20, windowSeconds: HOUR },
  login: { limit: 5, windowSeconds: QUARTER },
  registration: { limit: 3, windowSeconds: HOUR },
  transform: { limit: 5_000, windowSeconds: HOUR },
  download: { limit: 1_000, windowSeconds: HOUR },
  'public-download': { limit: 1_000, windowSeconds: HOUR },
  'key-creation': { limit: 10, windowSeconds: HOUR },
  unauthenticated: { limit: 100, windowSeconds: QUARTER },
} as const satisfies Record<string, { limit: number; windowSeconds: number }>;

export type LimitTier = keyof typeof LIMIT_TIERS;
export const LIMIT_TIER_NAMES = Object.keys(LIMIT_TIERS) as LimitTier[];
export const LimitTier = z.enum(LIMIT_TIER_NAMES);

const Limit = z
  .number()
  .int()
  .min(0)
  .max(1_000_000_000)
  .nullable()
  .describe('requests in the window of the tier; null: not limited');

/** Limits that stand instead of the tiers' own; what is absent stays as it is. */
export const RateLimitOverrides = z.strictObject(
  Object.fromEntries(LIMIT_TIER_NAMES.map((tier) => [tier, Limit.optional()])) as Record<
    LimitTier,
    z.ZodOptional<typeof Limit>
  >,
);
export type RateLimitOverrides = z.infer<typeof RateLimitOverrides>;

export const RateLimitTier = z.object({
  tier: LimitTier,
  limit: Limit,
  defaultLimit: z.number().int(),
  windowSeconds: z.number().int(),
});
export type RateLimitTier = z.infer<typeof RateLimitTier>;

/** What one caller has used of each tier. */
export const CallerLimits = z.object({
  caller: z.string().describe('id of a key, token or user, or a client address'),
  tiers: z.array(
    z.object({
      tier: LimitTier,
      limit: Limit,
      used: z.number().int(),
      remaining: z.number().int().nullable(),
      resetAt: z
        .number()
        .int()
        .nullable()
        .describe('unix seconds at which `used` begins to fall; null: nothing is used'),
    }),
  ),
  blockedUntil: z.number().int().nullable().describe('unix seconds; null: not blocked'),
});
export type CallerLimits = z.infer<typeof CallerLimits>;

/** An address that was refused too often. */
export const AddressBlock = z.object({
  address: z.string().describe('an IPv4 address, or an IPv6 network of 64 bits'),
  until: z.number().int().describe('unix seconds'),
  count: z.number().int().describe('how often it was blocked of late: each block is twice as long as the one before'),
});
export type AddressBlock = z.infer<typeof AddressBlock>;
