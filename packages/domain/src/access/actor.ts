import type { KeyRestrictions, MemberRole, Permission } from '@carcosa/contracts';
import type {
  ApiKeyId,
  OrganizationId,
  ProjectId,
  SessionId,
  TeamId,
  TenantId,
  TokenId,
  UserId,
} from '@carcosa/kernel';

/** Who acts. Every service takes one first; only an edge makes one, from what it verified. */
export type Actor = (ApiKeyActor | TenantTokenActor | UserActor | SystemActor) & { readonly origin?: Origin };

/** The request that an actor came with, for the record; absent in jobs. */
export interface Origin {
  readonly requestId: string;
  /** The client's address, as far as proxies are trusted. */
  readonly ipAddress: string;
  readonly userAgent: string | undefined;
}

/** A program with a key of one project. */
export interface ApiKeyActor {
  readonly type: 'api-key';
  readonly id: ApiKeyId;
  readonly projectId: ProjectId;
  readonly permissions: ReadonlySet<Permission>;
  readonly restrictions: KeyRestrictions;
  /** Its rate limits are this many times those of others. */
  readonly limitFactor: number;
}

/** A browser of one customer of our user's app, with a token that a key minted for it. */
export interface TenantTokenActor {
  readonly type: 'tenant-token';
  readonly id: TokenId;
  /** The key that minted it, whose end is the token's; null for one that a person minted. */
  readonly apiKeyId: ApiKeyId | null;
  readonly projectId: ProjectId;
  readonly tenantId: TenantId;
  readonly permissions: ReadonlySet<Permission>;
  /** Only what is below this folder; undefined: all that the tenant has. */
  readonly pathPrefix: string | undefined;
}

/** A person who is logged in. */
export interface UserActor {
  readonly type: 'user';
  readonly id: UserId;
  readonly sessionId: SessionId;
  /** Runs the server: sees its health and limits. Gives no right in organizations. */
  readonly isServerAdmin: boolean;
  readonly organizations: ReadonlyMap<OrganizationId, MemberRole>;
  readonly teams: ReadonlyMap<TeamId, MemberRole>;
}

/** The program itself: jobs and start-up. */
export interface SystemActor {
  readonly type: 'system';
}

export const SYSTEM: SystemActor = { type: 'system' };

/** How an actor is written beside what it made. */
export function actorId(actor: Actor): string {
  return actor.type === 'system' ? 'system' : actor.id;
}
