import {
  type CreateProjectBody,
  type ListProjectsQuery,
  type Page,
  type Project,
  ProjectSettings,
  slugOf,
  type UpdateProjectBody,
} from '@carcosa/contracts';
import {
  findProject,
  findTeam,
  hasFiles,
  insertProject,
  isUniqueViolation,
  listProjects,
  type ProjectRow,
  type Queryable,
  retireProject,
  rotateSigningKey,
  updateProject,
} from '@carcosa/database';
import {
  type BucketId,
  CarcosaError,
  type Clock,
  type IdGenerator,
  isId,
  type ProjectId,
  toIsoString,
} from '@carcosa/kernel';
import { type Access, authorizeTeam, projectOf } from '../access/access.ts';
import type { Actor } from '../access/actor.ts';
import type { Place } from '../access/grant.ts';
import { type AuditEvent, changedFields } from '../audit/audit-entry.ts';
import { record } from '../audit/record.ts';
import { afterId, pageOf } from '../lists.ts';
import { userOf } from '../organizations/service.ts';

export interface ProjectServiceParts {
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  ids: IdGenerator;
  clock: Clock;
  access: Access;
  buckets: ProjectBuckets;
  /** Enqueues the removal of all files of a project, or of one tenant of it. */
  removeLater(tx: Queryable, what: { projectId: ProjectId; tenantId: string | null }): Promise<void>;
  /** Told of a project that was changed here, before the change is answered. */
  onChange: (id: string) => void;
}

/** Which buckets a team may put files into. */
export interface ProjectBuckets {
  /** @throws CarcosaError `not_found` for a bucket that the team may not know of, `forbidden` for one that it may only read */
  assertWritable(tx: Queryable, place: Place, bucketId: string): Promise<BucketId>;
  /** The first one, by age; null when there is none. */
  firstWritable(tx: Queryable, place: Place): Promise<BucketId | null>;
}

/** Makes, reads and changes projects. Every method throws `not_found` for a project that the actor may not know of. */
export class ProjectService {
  readonly #parts: ProjectServiceParts;

  constructor(parts: ProjectServiceParts) {
    this.#parts = parts;
  }

  /** Makes a project of a team that the actor runs. @throws CarcosaError `conflict` for a taken slug, or where there is no bucket */
  async create(actor: Actor, input: CreateProjectBody): Promise<Project> {
    const { db, ids, transaction, buckets } = this.#parts;
    const team = isId('team', input.teamId) ? await findTeam(db, input.teamId) : null;
    if (!team) throw new CarcosaError('not_found');
    const place = { organizationId: team.organizationId, teamId: team.id };
    authorizeTeam(actor, 'manage', place);
    const id = ids.next('project');
    const { name, slug = slugOf(name), settings = {} } = input;
    try {
      return await transaction(async (tx) => {
        const bucketId =
          input.bucketId === undefined
            ? await buckets.firstWritable(tx, place)
            : await buckets.assertWritable(tx, place, input.bucketId);
        if (!bucketId)
          throw new CarcosaError('conflict', { message: 'The team has no bucket to write to; add one first.' });
        await insertProject(tx, { id, ...place, bucketId, name, slug, settings });
        await this.#record(tx, actor, id, { action: 'project.create', after: { name, slug, bucketId, settings } });
        return toProject(await findProject(tx, id));
      });
    } catch (error) {
      if (!isUniqueViolation(error, 'projects_slug')) throw error;
      throw new CarcosaError('conflict', { message: `The team has a project "${slug}" already; give another slug.` });
    }
  }

  /** The projects that the actor may see: a key or token its own, a person those of all teams that it is in. */
  async list(actor: Actor, query: ListProjectsQuery): Promise<Page<Project>> {
    if (actor.type !== 'user') {
      const items = [await this.get(actor, projectOf(actor))];
      return { items, nextCursor: null, hasMore: false };
    }
    const { organizations, teams } = userOf(actor);
    const runs = [...organizations].filter(([, role]) => role === 'owner' || role === 'admin').map(([id]) => id);
    const after = afterId('projects', query.cursor);
    const { organizationId, teamId, limit } = query;
    const of = { organizations: runs, teams: [...teams.keys()], organizationId, teamId };
    const rows = await listProjects(this.#parts.db, { ...of, limit, after });
    return pageOf('projects', rows, limit, toProject);
  }

  async get(actor: Actor, id: string): Promise<Project> {
    await this.#parts.access.authorize(actor, 'projects:read', known(id));
    return toProject(await findProject(this.#parts.db, known(id)));
  }

  /** @throws CarcosaError `not_found`, `forbidden` for a bucket that the project's team may not write to */
  async update(actor: Actor, id: string, { bucketId, ...change }: UpdateProjectBody): Promise<Project> {
    await this.#parts.access.authorizeWhole(actor, 'projects:write', known(id));
    const row = await this.#parts.transaction(async (tx) => {
      const place = await findProject(tx, known(id));
      if (!place) throw new CarcosaError('not_found');
      const bucket = bucketId && (await this.#parts.buckets.assertWritable(tx, place, bucketId));
      const updated = await updateProject(tx, known(id), { ...change, ...(bucket ? { bucketId: bucket } : {}) });
      const changed = changedFields(settable(place), settable(updated ?? place));
      await this.#record(tx, actor, known(id), { action: 'project.update', ...changed });
      return updated;
    });
    this.#parts.onChange(id);
    return toProject(row);
  }

  /** Ends every signed address that was made before. */
  async rotateSigningKey(actor: Actor, id: string): Promise<Project> {
    await this.#parts.access.authorizeWhole(actor, 'projects:write', known(id));
    const row = await this.#parts.transaction(async (tx) => {
      await this.#record(tx, actor, known(id), { action: 'project.rotate-signing-key' });
      return await rotateSigningKey(tx, known(id));
    });
    this.#parts.onChange(id);
    return toProject(row);
  }

  /**
   * Removes a project: its keys end and its addresses answer no more at once, its bytes go soon after.
   * @throws CarcosaError `conflict` for one that has files, unless `withFiles`
   */
  async remove(actor: Actor, id: string, { withFiles }: { withFiles: boolean }): Promise<void> {
    await this.#parts.access.authorizeWhole(actor, 'projects:delete', known(id));
    await this.#parts.transaction(async (tx) => {
      if (!withFiles && (await hasFiles(tx, known(id)))) {
        const message = 'The project has files; remove it with force=true to remove them too.';
        throw new CarcosaError('conflict', { message });
      }
      if (!(await retireProject(tx, known(id)))) throw new CarcosaError('not_found');
      await this.#record(tx, actor, known(id), { action: 'project.delete' });
      await this.#parts.removeLater(tx, { projectId: known(id), tenantId: null });
    });
    this.#parts.onChange(id);
  }

  #record(tx: Queryable, actor: Actor, projectId: ProjectId, event: AuditEvent): Promise<void> {
    const resource = { type: 'project', id: projectId } as const;
    return record(tx, this.#parts.clock, actor, { ...event, resource, place: { projectId } });
  }
}

const settable = ({ name, bucketId, settings }: ProjectRow) => ({ name, bucketId, ...settings });

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
