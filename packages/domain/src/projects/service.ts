import { type Page, type Project, ProjectSettings, type UpdateProjectBody } from '@carcosa/contracts';
import { findProject, type ProjectRow, type Queryable, rotateSigningKey, updateProject } from '@carcosa/database';
import { CarcosaError, type Clock, isId, type ProjectId, toIsoString } from '@carcosa/kernel';
import type { Actor } from '../access/actor.ts';
import { authorize, projectOf } from '../access/authorize.ts';
import type { UploadProject, UploadProjects } from '../uploads/upload-project.ts';

/** Most projects that are remembered, and for how many milliseconds a change may go unnoticed by a node that is cut off. */
const CACHE_SIZE = 1000;
const CACHE_MS = 30_000;

/** What the hot paths need to know of a project, as it stood at most 30 seconds ago. */
export type ProjectFacts = Omit<ProjectRow, 'settings'> & { settings: ProjectSettings };

interface Remembered {
  facts: ProjectFacts;
  until: number;
}

/** Reads and changes projects. Every method throws `not_found` for a project that the actor may not know of. */
export class ProjectService implements UploadProjects {
  readonly #db: Queryable;
  readonly #clock: Clock;
  readonly #onChange: (id: string) => void;
  readonly #cache = new Map<string, Remembered>();

  /** @param parts.onChange told of a project that was changed here, before the change is answered */
  constructor(parts: { db: Queryable; clock: Clock; onChange?: (id: string) => void }) {
    this.#db = parts.db;
    this.#clock = parts.clock;
    this.#onChange = parts.onChange ?? (() => {});
  }

  /** What uploads and downloads ask on every request; remembered, and forgotten when the project is changed on any node. */
  async facts(id: ProjectId): Promise<ProjectFacts> {
    const remembered = this.#cache.get(id);
    if (remembered && remembered.until > this.#clock.now()) return remembered.facts;
    const row = await findProject(this.#db, id);
    if (!row) throw new CarcosaError('not_found');
    const facts = { ...row, settings: ProjectSettings.parse(row.settings) };
    this.#cache.delete(id);
    this.#cache.set(id, { facts, until: this.#clock.now() + CACHE_MS });
    const [oldest] = this.#cache.keys();
    if (this.#cache.size > CACHE_SIZE && oldest !== undefined) this.#cache.delete(oldest);
    return facts;
  }

  async uploadProject(id: ProjectId): Promise<UploadProject> {
    const { organizationId, teamId, bucketId, settings } = await this.facts(id);
    const { defaultVisibility, hashDirectUploads } = settings;
    return { id, organizationId, teamId, bucketId, defaultVisibility, hashDirectUploads };
  }

  // Announcements take a moment: whoever changed something sees it at once.
  #changed(id: string): void {
    this.invalidate(id);
    this.#onChange(id);
  }

  /** Forgets one project, or all when the connection that announces changes was lost for a while. */
  invalidate(id?: string): void {
    if (id === undefined) this.#cache.clear();
    else this.#cache.delete(id);
  }

  /** The projects that the actor may see: for an API key, its own. */
  async list(actor: Actor): Promise<Page<Project>> {
    const items = [await this.get(actor, projectOf(actor))];
    return { items, nextCursor: null, hasMore: false };
  }

  async get(actor: Actor, id: string): Promise<Project> {
    authorize(actor, 'projects:read', known(id));
    return toProject(await findProject(this.#db, known(id)));
  }

  async update(actor: Actor, id: string, change: UpdateProjectBody): Promise<Project> {
    authorize(actor, 'projects:write', known(id));
    const row = await updateProject(this.#db, known(id), change);
    this.#changed(id);
    return toProject(row);
  }

  /** Ends every signed address that was made before. */
  async rotateSigningKey(actor: Actor, id: string): Promise<Project> {
    authorize(actor, 'projects:write', known(id));
    const row = await rotateSigningKey(this.#db, known(id));
    this.#changed(id);
    return toProject(row);
  }
}

function known(id: string): ProjectId {
  if (!isId('project', id)) throw new CarcosaError('not_found');
  return id;
}

function toProject(row: ProjectRow | null): Project {
  if (!row) throw new CarcosaError('not_found');
  const { signingKeyVersion: _, createdAt, updatedAt, settings, ...rest } = row;
  return {
    ...rest,
    settings: ProjectSettings.parse(settings),
    createdAt: toIsoString(createdAt.getTime()),
    updatedAt: toIsoString(updatedAt.getTime()),
  };
}
