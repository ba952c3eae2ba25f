import { z } from 'zod';

/** What a quota can limit: what is stored now, and what was done in this month (UTC). */
export const QUOTA_METRICS = ['bytes', 'files', 'uploadBytes', 'egressBytes', 'transforms'] as const;
export const QuotaMetric = z.enum(QUOTA_METRICS);
export type QuotaMetric = z.infer<typeof QuotaMetric>;
export const MONTHLY_METRICS: ReadonlySet<QuotaMetric> = new Set(['uploadBytes', 'egressBytes', 'transforms']);

const Limit = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).nullable();

/** What is absent is not limited here; null lifts what a plan limits. */
export const Quotas = z.strictObject({
  bytes: Limit.optional().describe(
    'bytes stored, all versions and the trash included; a copy counts like its original',
  ),
  files: Limit.optional().describe('files, the trash included'),
  uploadBytes: Limit.optional().describe('bytes uploaded in a month'),
  egressBytes: Limit.optional().describe('bytes downloaded in a month'),
  transforms: Limit.optional().describe('transforms in a month'),
});
export type Quotas = z.infer<typeof Quotas>;

export const QuotaUsage = z.object({
  metric: QuotaMetric,
  limit: Limit,
  used: z
    .number()
    .int()
    .nullable()
    .describe('null: egress or transforms, which are counted only where they are limited'),
  reserved: z.number().int().nullable().describe('by uploads under way'),
  period: z.string().nullable().describe('the month in UTC, as 2026-11; null for what is not counted by month'),
});
export type QuotaUsage = z.infer<typeof QuotaUsage>;

/** The quotas of an organization, project or tenant, and how far they are used. */
export const QuotaReport = z.object({
  quotas: Quotas.describe('set here'),
  plan: z.string().nullable().optional().describe('of an organization: what it does not set itself comes from there'),
  usage: z.array(QuotaUsage),
});
export type QuotaReport = z.infer<typeof QuotaReport>;

export const PlanName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, { message: 'lower-case letters, digits and "-"' });

export const Plan = z.object({
  name: PlanName,
  quotas: Quotas,
  auditRetentionDays: z.number().int().nullable().describe('null: for ever'),
  eventRetentionDays: z.number().int().nullable().describe('null: for ever'),
});
export type Plan = z.infer<typeof Plan>;

export const PutPlanBody = z.strictObject({
  quotas: Quotas.default({}),
  auditRetentionDays: z.number().int().min(1).max(36_500).nullable().default(null),
  // Longer than a delivery is tried.
  eventRetentionDays: z.number().int().min(7).max(36_500).nullable().default(null),
});
export type PutPlanBody = z.infer<typeof PutPlanBody>;

/** Replaces what was set. */
export const PutQuotasBody = z.strictObject({ quotas: Quotas });
export type PutQuotasBody = z.infer<typeof PutQuotasBody>;

export const PutOrganizationQuotasBody = z.strictObject({
  quotas: Quotas.optional(),
  plan: PlanName.nullable().optional().describe('null: none; absent: as it is'),
});
export type PutOrganizationQuotasBody = z.infer<typeof PutOrganizationQuotasBody>;
