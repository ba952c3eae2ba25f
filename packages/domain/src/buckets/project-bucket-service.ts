import type { AddProjectBucketBody, AuditAction, ProjectBucket } from '@carcosa/contracts';
import {
  deleteProjectBucket,
  insertProjectBucket,
  type LockedProject,
  listProjectBuckets,
  lockProject,
  projectUse,
  type Queryable,
  setDefaultBucket,
} from '@carcosa/database';
import { CarcosaError, type Clock, isId, type ProjectId } from '@carcosa/kernel';
import type { Access } from '../access/access.ts';
import type { Actor } from '../access/actor.ts';
import { record } from '../audit/record.ts';
import type { TeamBuckets } from './team-buckets.ts';

export interface ProjectBucketServiceParts {
  db: Queryable;
  transaction: <Result>(work: (tx: Queryable) => Promise<Result>) => Promise<Result>;
  clock: Clock;
  access: Access;
  teamBuckets: TeamBuckets;
  /** Told of a project that was changed here, before the change is answered. */
  onChange: (id: string) => void;
}

/** Which buckets a project uses: one for its new files, and any number beside it. */
export class ProjectBucketService {
  readonly #parts: ProjectBucketServiceParts;

  constructor(parts: ProjectBucketServiceParts) {
    this.#parts = parts;
  }

  async list(actor: Actor, projectId: string): Promise<ProjectBucket[]> {
    const id = known(projectId);
    await this.#parts.access.authorizeWhole(actor, 'projects:read', id);
    return await this.#view(id);
  }

  /**
   * Lets the project use a bucket; as its default only one that its team may write to.
   * @throws CarcosaError `not_found` for a bucket that the project's team may not know of, `forbidden` for a default that it may only read
   */
  async add(actor: Actor, projectId: string, bucketId: string, input: AddProjectBucketBody): Promise<ProjectBucket[]> {
    const id = known(projectId);
    await this.#parts.access.authorizeWhole(actor, 'projects:write', id);
    const { transaction, teamBuckets } = this.#parts;
    await transaction(async (tx) => {
      const project = await locked(tx, id);
      const bucket = input.default
        ? await teamBuckets.assertWritable(tx, project, bucketId)
        : await teamBuckets.assertReadable(tx, project, bucketId);
      const isNew = await insertProjectBucket(tx, id, bucket);
      const moves = input.default && bucket !== project.bucketId;
      if (moves) {
        // The one of before stays a bucket of the project: its files lie there.
        await insertProjectBucket(tx, id, project.bucketId);
        await setDefaultBucket(tx, id, bucket);
      }
      if (isNew || moves)
        await this.#record(tx, actor, 'project.add-bucket', { id, project }, { bucketId, default: input.default });
    });
    this.#parts.onChange(id);
    return await this.#view(id);
  }

  /** @throws CarcosaError `bucket_in_use` for the default, and where files, uploads or tenants of the project are there */
  async remove(actor: Actor, projectId: string, bucketId: string): Promise<ProjectBucket[]> {
    const id = known(projectId);
    await this.#parts.access.authorizeWhole(actor, 'projects:write', id);
    await this.#parts.transaction(async (tx) => {
      const project = await locked(tx, id);
      if (project.bucketId === bucketId) {
        throw new CarcosaError('bucket_in_use', {
          message: 'New files of the project go there: make another the default.',
        });
      }
      const isThere = await deleteProjectBucket(tx, id, bucketId);
      if (!isThere) throw new CarcosaError('not_found');
      const use = await projectUse(tx, id, bucketId);
      if (use.tenantCount > 0 || use.hasObjects || use.hasUploads) {
        const message = 'Files of the project, or of its tenants, lie there or go there.';
        throw new CarcosaError('bucket_in_use', { message, details: use });
      }
      await this.#record(tx, actor, 'project.remove-bucket', { id, project }, { bucketId });
    });
    this.#parts.onChange(id);
    return await this.#view(id);
  }

  async #view(id: ProjectId): Promise<ProjectBucket[]> {
    const rows = await listProjectBuckets(this.#parts.db, id);
    return rows.map(({ fromEnvironment, access, ...row }) => ({
      ...row,
      access: access ?? (fromEnvironment ? 'read-write' : null),
    }));
  }

  async #record(
    tx: Queryable,
    actor: Actor,
    action: Extract<AuditAction, `project.${string}-bucket`>,
    { id, project }: { id: ProjectId; project: LockedProject },
    change: { bucketId: string; default?: boolean },
  ): Promise<void> {
    const place = { organizationId: project.organizationId, projectId: id };
    const before = { bucketId: project.bucketId };
    const event = { action, resource: { type: 'project', id }, place, before, after: change } as const;
    await record(tx, this.#parts.clock, actor, event);
  }
}

function known(id: string): ProjectId {
  if (!isId('project', id)) throw new CarcosaError('not_found');
  return id;
}

async function locked(tx: Queryable, id: ProjectId): Promise<LockedProject> {
  const project = await lockProject(tx, id);
  if (!project) throw new CarcosaError('not_found');
  return project;
}
