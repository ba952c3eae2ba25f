import type { Permission } from '@carcosa/contracts';
import type { ApiKeyId, ProjectId } from '@carcosa/kernel';

/** Who acts. Every service takes one first; only an edge makes one, from what it verified. */
export type Actor = ApiKeyActor | SystemActor;

export interface ApiKeyActor {
  readonly type: 'api-key';
  readonly id: ApiKeyId;
  readonly projectId: ProjectId;
  readonly permissions: ReadonlySet<Permission>;
}

/** The program itself: jobs and start-up. */
export interface SystemActor {
  readonly type: 'system';
}

export const SYSTEM: SystemActor = { type: 'system' };

/** How an actor is written beside what it made. */
export function actorId(actor: Actor): string {
  return actor.type === 'api-key' ? actor.id : 'system';
}
