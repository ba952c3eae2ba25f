import { ProjectSettings } from '@carcosa/contracts';
import {
  findPresetSteps,
  findProject,
  findProjectQuotas,
  type ProjectQuotas,
  type ProjectRow,
  type Queryable,
} from '@carcosa/database';
import { CarcosaError, type Clock, type Lookups, type ProjectId } from '@carcosa/kernel';
import type { Place } from '../access/grant.ts';
import { AnnouncedCache } from '../announced-cache.ts';
import type { UploadProject, UploadProjects } from '../uploads/upload-project.ts';

/** Most projects that are remembered, and for how many milliseconds a change may go unnoticed by a node that is cut off. */
const LIMITS = { size: 1000, lifetimeMs: 30_000 };

/** What the hot paths need to know of a project, as it stood at most 30 seconds ago. */
export type ProjectFacts = Omit<ProjectRow, 'settings'> & {
  settings: ProjectSettings;
  quotas: ProjectQuotas;
  /** Steps of transforms by the name of the preset. */
  presets: ReadonlyMap<string, string>;
};

/** Remembers projects for what asks on every request; forgets one when it is changed on any node. */
export class ProjectFactsCache implements UploadProjects {
  readonly #cache: AnnouncedCache<ProjectId, ProjectFacts>;

  constructor({ db, clock }: { db: Queryable; clock: Clock }) {
    this.#cache = new AnnouncedCache({ clock, ...LIMITS, load: (id) => read(db, id) });
  }

  get lookups(): Readonly<Lookups> {
    return this.#cache.lookups;
  }

  /** @throws CarcosaError (or rejects with) `not_found` */
  facts(id: ProjectId): ProjectFacts | Promise<ProjectFacts> {
    const found = this.#cache.get(id);
    return found instanceof Promise ? found.then(known) : found;
  }

  async uploadProject(id: ProjectId): Promise<UploadProject> {
    const { organizationId, teamId, bucketId, settings } = await this.facts(id);
    const { defaultVisibility, hashDirectUploads } = settings;
    return { id, organizationId, teamId, bucketId, defaultVisibility, hashDirectUploads, rules: settings };
  }

  /** Where the project stands in the tree. @throws CarcosaError `not_found` */
  async placeOf(id: ProjectId): Promise<Place> {
    const { organizationId, teamId } = await this.facts(id);
    return { organizationId, teamId };
  }

  /** Forgets one project, or all when the connection that announces changes was lost for a while. */
  invalidate(id?: string): void {
    this.#cache.invalidate(id);
  }
}

async function read(db: Queryable, id: ProjectId): Promise<ProjectFacts | null> {
  const found = [findProject(db, id), findProjectQuotas(db, id), findPresetSteps(db, id)] as const;
  const [row, quotas, presets] = await Promise.all(found);
  return row && quotas && { ...row, quotas, presets, settings: ProjectSettings.parse(row.settings) };
}

function known(facts: ProjectFacts | null): ProjectFacts {
  if (!facts) throw new CarcosaError('not_found');
  return facts;
}
