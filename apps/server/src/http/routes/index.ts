import type { Carcosa } from '../../compose.ts';
import { tusRoutes } from '../../tus/tus-routes.ts';
import { uploadthingRoutes } from '../../uploadthing/index.ts';
import type { App, Routes } from '../types.ts';
import { accessRoutes } from './access.ts';
import { alarmRoutes } from './alarms.ts';
import { apiKeyRoutes } from './api-keys.ts';
import { auditLogRoutes } from './audit-logs.ts';
import { authRoutes } from './auth.ts';
import { authAccountRoutes } from './auth-account.ts';
import { authFactorRoutes } from './auth-factors.ts';
import { authProviderRoutes } from './auth-providers.ts';
import { bucketRoutes } from './buckets.ts';
import { callbackRoutes } from './callbacks.ts';
import { eventRoutes } from './events.ts';
import { fileRoutes } from './files.ts';
import { healthRoutes } from './health.ts';
import { jobRoutes } from './jobs.ts';
import { linkPageRoutes } from './link-pages.ts';
import { metricsRoutes } from './metrics.ts';
import { invitationRoutes, memberRoutes, organizationRoutes } from './organizations.ts';
import { projectBucketRoutes } from './project-buckets.ts';
import { projectRoutes } from './projects.ts';
import { quotaRoutes } from './quotas.ts';
import { rateLimitRoutes } from './rate-limits.ts';
import { realtimeRoutes } from './realtime.ts';
import { serveRoutes } from './serve.ts';
import { startPageRoutes } from './start-page.ts';
import { teamRoutes } from './teams.ts';
import { tenantRoutes } from './tenants.ts';
import { tokenRoutes } from './tokens.ts';
import { transformJobRoutes } from './transform-jobs.ts';
import { transformControlRoutes, transformPresetRoutes } from './transform-settings.ts';
import { transformRoutes } from './transforms.ts';
import { simpleUploadRoutes } from './upload-simple.ts';
import { uploadRoutes } from './uploads.ts';
import { usageRoutes } from './usage.ts';
import { deliveryRoutes, webhookRoutes } from './webhooks.ts';

/** All routes, one function a resource. */
const ROUTES: Routes[] = [
  startPageRoutes,
  healthRoutes,
  metricsRoutes,
  authRoutes,
  organizationRoutes,
  memberRoutes,
  invitationRoutes,
  teamRoutes,
  authAccountRoutes,
  authFactorRoutes,
  authProviderRoutes,
  linkPageRoutes,
  projectRoutes,
  tenantRoutes,
  tokenRoutes,
  apiKeyRoutes,
  accessRoutes,
  projectBucketRoutes,
  bucketRoutes,
  simpleUploadRoutes,
  fileRoutes,
  serveRoutes,
  transformRoutes,
  transformPresetRoutes,
  transformControlRoutes,
  transformJobRoutes,
  uploadRoutes,
  tusRoutes,
  uploadthingRoutes,
  auditLogRoutes,
  eventRoutes,
  realtimeRoutes,
  webhookRoutes,
  deliveryRoutes,
  callbackRoutes,
  rateLimitRoutes,
  quotaRoutes,
  usageRoutes,
  jobRoutes,
  alarmRoutes,
];

export function registerRoutes(app: App, carcosa: Carcosa): void {
  // A process that only does jobs still tells how it is.
  for (const register of carcosa.config.roles.has('http') ? ROUTES : [healthRoutes, metricsRoutes])
    register(app, carcosa);
}
