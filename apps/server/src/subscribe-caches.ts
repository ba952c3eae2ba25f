import {
  API_KEYS_CHANNEL,
  BUCKETS_CHANNEL,
  FILES_CHANNEL,
  PEOPLE_CHANNEL,
  PROJECTS_CHANNEL,
  TENANTS_CHANNEL,
  TRANSFORMS_CHANNEL,
} from '@carcosa/database';
import {
  type ApiKeyService,
  type BucketStores,
  type ProjectFactsCache,
  RATE_LIMITS_CHANNEL,
  type RateLimitService,
  type ServingService,
  type SessionCache,
  type SigningKeys,
  type TenantFactsCache,
  type TenantTokens,
  type TransformService,
} from '@carcosa/domain';
import { isId } from '@carcosa/kernel';
import type { PostgresNotifications } from './postgres-notifications.ts';

export interface Caches {
  apiKeys: ApiKeyService;
  signingKeys: SigningKeys;
  projectFacts: ProjectFactsCache;
  tenantFacts: TenantFactsCache;
  tenantTokens: TenantTokens;
  serving: ServingService;
  sessionCache: SessionCache;
  rateLimits: RateLimitService;
  stores: BucketStores;
  transforms: TransformService;
}

/**
 * Makes what this process remembers follow the changes that any process announces; all of it is forgotten when announcements may
 * have been lost.
 */
export function subscribeCaches(notifications: PostgresNotifications, caches: Caches): void {
  const { apiKeys, signingKeys, projectFacts, tenantFacts, tenantTokens } = caches;
  const { serving, sessionCache, rateLimits, stores, transforms } = caches;
  const keyChanged = (publicId?: string, id?: string): void => {
    apiKeys.invalidate(publicId);
    signingKeys.keysChanged();
    tenantTokens.keyChanged(id);
  };
  const projectChanged = (projectId?: string): void => {
    projectFacts.invalidate(projectId);
    serving.projectChanged(projectId);
  };
  const tenantChanged = (tenantId?: string): void => tenantFacts.invalidate(tenantId);
  const personChanged = (userId?: string): void => sessionCache.invalidate(userId);
  const bucketChanged = (bucketId?: string): void => {
    if (bucketId === undefined || isId('bucket', bucketId)) stores.bucketChanged(bucketId);
  };
  const filesChanged = (keys?: string[]): void => {
    serving.filesChanged(keys);
    // What cannot be looked up or removed now goes when others need its room.
    if (keys) transforms.filesChanged(keys).catch(() => {});
  };
  const purged = ({ projectId, objectIds }: Record<string, unknown>): void => {
    const owners = texts(objectIds)?.map((objectId) => ({ objectId })) ?? [{ projectId: String(projectId) }];
    for (const owner of owners) transforms.purge(owner).catch(() => {});
  };
  notifications.subscribe(
    API_KEYS_CHANNEL,
    ({ publicId, id }) => keyChanged(text(publicId), text(id)),
    () => keyChanged(),
  );
  notifications.subscribe(PROJECTS_CHANNEL, ({ projectId }) => projectChanged(text(projectId)), projectChanged);
  notifications.subscribe(TENANTS_CHANNEL, ({ tenantId }) => tenantChanged(text(tenantId)), tenantChanged);
  notifications.subscribe(PEOPLE_CHANNEL, ({ userId }) => personChanged(text(userId)), personChanged);
  notifications.subscribe(BUCKETS_CHANNEL, ({ bucketId }) => bucketChanged(text(bucketId)), bucketChanged);
  notifications.subscribe(FILES_CHANNEL, ({ keys }) => filesChanged(texts(keys)), filesChanged);
  notifications.subscribe(TRANSFORMS_CHANNEL, purged);
  // What cannot be read now is read at the next announcement; until then the limits stay as they were.
  const limitsChanged = (message: Record<string, unknown>): void => void rateLimits.announced(message).catch(() => {});
  notifications.subscribe(RATE_LIMITS_CHANNEL, limitsChanged, () => limitsChanged({ changed: true }));
}

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
const texts = (value: unknown): string[] | undefined => (Array.isArray(value) ? value.map(String) : undefined);
