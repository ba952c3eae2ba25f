import type { Queryable } from '@carcosa/database';
import {
  type Access,
  ApiKeyManager,
  type ApiKeyService,
  announceMembership,
  Explainer,
  InvitationService,
  invitationLink,
  type LinkMail,
  OrganizationService,
  type ProjectBuckets,
  type ProjectFactsCache,
  type ProjectServiceParts,
  type Quotas,
  type RateLimiter,
  type SessionCache,
  type SigningKeys,
  TeamService,
  type TenantFactsCache,
  TenantService,
  TenantTokens,
} from '@carcosa/domain';
import type { Clock, IdGenerator, Logger, Random, UserId } from '@carcosa/kernel';
import type { ServerConfig } from './config.ts';

export interface TreeParts {
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  clock: Clock;
  ids: IdGenerator;
  random: Random;
  logger: Logger;
  access: Access;
  apiKeys: ApiKeyService;
  signingKeys: SigningKeys;
  buckets: ProjectBuckets;
  removeLater: ProjectServiceParts['removeLater'];
  tenantFacts: TenantFactsCache;
  projectFacts: ProjectFactsCache;
  limiter: RateLimiter;
  quotas: Quotas;
  secret: string;
  publicUrl: string;
  config: Pick<ServerConfig, 's3'>;
  linkMail: LinkMail;
  sessionCache: SessionCache;
}

/** The part of the composition that makes the tree: organizations, teams, members, tenants, and the keys of projects. */
export function composeTree(parts: TreeParts) {
  const { publicUrl, linkMail } = parts;
  const tree = { ...parts, ...membershipTransactions(parts) };
  const tenants = new TenantService({ ...parts, onChange: (id) => parts.tenantFacts.invalidate(id) });
  const tenantTokens = new TenantTokens({ ...parts, tenants, secret: Buffer.from(parts.secret) });
  return {
    organizations: new OrganizationService({ ...tree, givesLocalBucket: parts.config.s3 === undefined }),
    teams: new TeamService(tree),
    invitations: new InvitationService({
      ...tree,
      send: async (message) => linkMail.send(invitationLink(publicUrl, message)),
    }),
    tenants,
    tenantTokens,
    explainer: new Explainer({ ...parts, projects: parts.projectFacts, tenants: parts.tenantFacts }),
    apiKeyManager: new ApiKeyManager({
      ...parts,
      onChange: ({ id, publicId }) => {
        parts.apiKeys.invalidate(publicId);
        parts.signingKeys.keysChanged();
        tenantTokens.keyChanged(id);
      },
    }),
  };
}

/** Transactions after which this node knows at once what somebody has become a member of; the others hear of it a moment later. */
function membershipTransactions({ transaction, sessionCache }: Pick<TreeParts, 'transaction' | 'sessionCache'>) {
  const changed = new WeakMap<Queryable, Set<UserId>>();
  return {
    async transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result> {
      let people = new Set<UserId>();
      const result = await transaction(async (tx) => {
        people = new Set();
        changed.set(tx, people);
        return await work(tx);
      });
      for (const userId of people) sessionCache.invalidate(userId);
      return result;
    },
    async announceMembership(tx: Queryable, userId: UserId): Promise<void> {
      changed.get(tx)?.add(userId);
      await announceMembership(tx, userId);
    },
  };
}
