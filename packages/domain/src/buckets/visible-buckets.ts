import type { VisibleBuckets } from '@carcosa/database';
import type { Actor } from '../access/actor.ts';

/** Which buckets `bucketControl` gives the actor something of, as a query asks for them; null: every one. */
export function visibleBuckets(actor: Actor): VisibleBuckets | null {
  if (actor.type === 'system') return null;
  if (actor.type !== 'user') return { managed: [], teams: [], organizations: [] };
  const { organizations, teams } = actor;
  const runs = (role: string | undefined): boolean => role === 'owner' || role === 'admin';
  return {
    managed: [...organizations.keys()].filter((id) => runs(organizations.get(id))),
    teams: [...teams.keys()],
    organizations: [...organizations.keys()],
  };
}
