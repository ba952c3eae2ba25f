import type { EventPlace, FollowedEvent } from '@carcosa/database';
import type { FedEvent } from './event-feed.ts';

/** What somebody sees through a room that they joined. Whoever has a view of the same key sees exactly the same. */
export interface View {
  /** Begins with the name of the room. */
  key: string;
  /** Where all that it shows happened; there may be more than it shows. No event is at two of them. */
  places: readonly EventPlace[];
  /** For events of these places. */
  shows(event: FollowedEvent): boolean;
  /** The upload or job whose progress it shows beside events. */
  operationId?: string;
}

interface LiveView {
  view: View;
  members: number;
}

/** The views that somebody looks through at this moment. Those who share a view are told together: rights are looked at once for all of them. */
export class LiveViews {
  readonly #views = new Map<string, LiveView>();
  readonly #byPlace = new Map<string, Set<View>>();

  /** @returns whether it is the first one of its key */
  add(view: View): boolean {
    const live = this.#views.get(view.key);
    if (live) {
      live.members += 1;
      return false;
    }
    this.#views.set(view.key, { view, members: 1 });
    for (const place of view.places.map(placeKey))
      this.#byPlace.set(place, (this.#byPlace.get(place) ?? new Set()).add(view));
    return true;
  }

  /** @returns whether it was the last one of its key */
  remove(view: View): boolean {
    const live = this.#views.get(view.key);
    if (!live) return false;
    live.members -= 1;
    if (live.members > 0) return false;
    this.#views.delete(view.key);
    for (const place of live.view.places.map(placeKey)) {
      const there = this.#byPlace.get(place);
      there?.delete(live.view);
      if (there?.size === 0) this.#byPlace.delete(place);
    }
    return true;
  }

  /** The keys of the views that show the event. */
  showing({ row }: FedEvent): string[] {
    const keys: string[] = [];
    for (const place of placesOf(row)) {
      for (const view of this.#byPlace.get(placeKey(place)) ?? []) if (view.shows(row)) keys.push(view.key);
    }
    return keys;
  }
}

const placeKey = ({ column, id }: EventPlace): string => `${column} ${id}`;

function placesOf({ organizationId, projectId, tenantId, teamId }: FollowedEvent): EventPlace[] {
  const places: EventPlace[] = [{ column: 'organization_id', id: organizationId }];
  if (projectId !== null) places.push({ column: 'project_id', id: projectId });
  if (tenantId !== null) places.push({ column: 'tenant_id', id: tenantId });
  if (teamId !== null) places.push({ column: 'team_id', id: teamId });
  return places;
}
