import { ProjectSettings } from '@carcosa/contracts';
import { findProject, findProjectQuotas, type ProjectQuotas, type ProjectRow, type Queryable } from '@carcosa/database';
import { CarcosaError, type Clock, type ProjectId } from '@carcosa/kernel';
import type { Place } from '../access/grant.ts';
import type { UploadProject, UploadProjects } from '../uploads/upload-project.ts';

/** Most projects that are remembered, and for how many milliseconds a change may go unnoticed by a node that is cut off. */
const CACHE_SIZE = 1000;
const CACHE_MS = 30_000;

/** What the hot paths need to know of a project, as it stood at most 30 seconds ago. */
export type ProjectFacts = Omit<ProjectRow, 'settings'> & { settings: ProjectSettings; quotas: ProjectQuotas };

interface Remembered {
  facts: ProjectFacts;
  until: number;
}

/** Remembers projects for what asks on every request; forgets one when it is changed on any node. */
export class ProjectFactsCache implements UploadProjects {
  readonly #db: Queryable;
  readonly #clock: Clock;
  readonly #cache = new Map<string, Remembered>();

  /** Rises with each change: what was read before is not remembered after it. */
  #changes = 0;

  constructor(parts: { db: Queryable; clock: Clock }) {
    this.#db = parts.db;
    this.#clock = parts.clock;
  }

  /** @throws CarcosaError (or rejects with) `not_found` */
  facts(id: ProjectId): ProjectFacts | Promise<ProjectFacts> {
    const remembered = this.#cache.get(id);
    if (remembered && remembered.until > this.#clock.now()) return remembered.facts;
    return this.#read(id);
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
    this.#changes += 1;
    if (id === undefined) this.#cache.clear();
    else this.#cache.delete(id);
  }

  async #read(id: ProjectId): Promise<ProjectFacts> {
    const changes = this.#changes;
    const [row, quotas] = await Promise.all([findProject(this.#db, id), findProjectQuotas(this.#db, id)]);
    if (!row || !quotas) throw new CarcosaError('not_found');
    const facts = { ...row, quotas, settings: ProjectSettings.parse(row.settings) };
    if (changes !== this.#changes) return facts;
    this.#cache.delete(id);
    this.#cache.set(id, { facts, until: this.#clock.now() + CACHE_MS });
    const [oldest] = this.#cache.keys();
    if (this.#cache.size > CACHE_SIZE && oldest !== undefined) this.#cache.delete(oldest);
    return facts;
  }
}
