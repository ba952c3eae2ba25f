import { type Page, type Project, ProjectSettings, type UpdateProjectBody } from '@carcosa/contracts';
import { findProject, type ProjectRow, type Queryable, rotateSigningKey, updateProject } from '@carcosa/database';
import { CarcosaError, isId, type ProjectId, toIsoString } from '@carcosa/kernel';
import { type Access, projectOf } from '../access/access.ts';
import type { Actor } from '../access/actor.ts';

export interface ProjectServiceParts {
  db: Queryable;
  access: Access;
  /** Told of a project that was changed here, before the change is answered. */
  onChange: (id: string) => void;
}

/** Reads and changes projects. Every method throws `not_found` for a project that the actor may not know of. */
export class ProjectService {
  readonly #parts: ProjectServiceParts;

  constructor(parts: ProjectServiceParts) {
    this.#parts = parts;
  }

  /** The projects that the actor may see: for an API key, its own. */
  async list(actor: Actor): Promise<Page<Project>> {
    const items = [await this.get(actor, projectOf(actor))];
    return { items, nextCursor: null, hasMore: false };
  }

  async get(actor: Actor, id: string): Promise<Project> {
    await this.#parts.access.authorize(actor, 'projects:read', known(id));
    return toProject(await findProject(this.#parts.db, known(id)));
  }

  async update(actor: Actor, id: string, change: UpdateProjectBody): Promise<Project> {
    await this.#parts.access.authorizeWhole(actor, 'projects:write', known(id));
    const row = await updateProject(this.#parts.db, known(id), change);
    this.#parts.onChange(id);
    return toProject(row);
  }

  /** Ends every signed address that was made before. */
  async rotateSigningKey(actor: Actor, id: string): Promise<Project> {
    await this.#parts.access.authorizeWhole(actor, 'projects:write', known(id));
    const row = await rotateSigningKey(this.#parts.db, known(id));
    this.#parts.onChange(id);
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
