import {
  parseTransformSteps,
  printTransform,
  type SignedTransform,
  type SignTransformBody,
  type TransformKey,
  transformAddress,
} from '@carcosa/contracts';
import { announcePurge, findFileKey, type Queryable } from '@carcosa/database';
import { CarcosaError, type Clock, isId, type ProjectId, toIsoString } from '@carcosa/kernel';
import { type Access, projectOf } from '../access/access.ts';
import type { Actor } from '../access/actor.ts';
import { assertCovers } from '../access/grant.ts';
import { record } from '../audit/record.ts';
import type { ProjectFacts } from '../projects/project-facts.ts';
import type { ServingService } from '../serving/index.ts';
import type { RemotePictures } from './remote-pictures.ts';
import { overlaysOf, withPreset } from './transform-rules.ts';
import type { TransformSigner } from './transform-signer.ts';

export interface TransformAddressesParts {
  readonly db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  readonly clock: Clock;
  readonly access: Access;
  readonly projects: { facts(id: ProjectId): ProjectFacts | Promise<ProjectFacts> };
  readonly serving: ServingService;
  readonly remote: RemotePictures;
  readonly signer: TransformSigner;
  /** Without a "/" at its end. */
  readonly publicUrl: string;
}

/** Signed addresses of pictures, and the end of what was made for addresses. */
export class TransformAddresses {
  readonly #parts: TransformAddressesParts;

  constructor(parts: TransformAddressesParts) {
    this.#parts = parts;
  }

  /**
   * Signs the address of one picture, for who may read all that it shows, and transform.
   * @throws CarcosaError `not_found`, `forbidden`, `invalid_request`, `transform_not_allowed` for a host that the project does not allow
   */
  async sign(actor: Actor, input: SignTransformBody): Promise<SignedTransform> {
    const { clock, signer, publicUrl, access, projects, remote } = this.#parts;
    const projectId = projectOf(actor, input.projectId);
    const grant = await access.authorize(actor, 'transforms:execute', projectId);
    const facts = await projects.facts(projectId);
    const transform = parseTransformSteps(input.steps);
    if (withPreset(transform, facts.presets).keep?.includes('gps'))
      await access.authorize(actor, 'files:read', projectId);
    const tenantId = input.tenantId ?? grant.tenantId ?? undefined;
    const overlays = overlaysOf(withPreset(transform, facts.presets));
    const paths = [...(input.path === undefined ? [] : [input.path]), ...overlays];
    for (const path of paths) await this.#assertReadable(actor, { projectId, tenantId, path });
    if (input.url !== undefined) remote.assertAllowed(input.url, facts.settings.transformHosts);
    const seconds = input.expiresIn === undefined ? undefined : Math.ceil(clock.now() / 1000) + input.expiresIn;
    const expires = seconds === undefined ? undefined : String(seconds);
    const version = input.version ?? null;
    const picture = { tenantId, source: input.url ?? input.path ?? '', version, expires, transform };
    const query = new URLSearchParams({
      ...(input.url === undefined ? {} : { url: input.url }),
      ...(version === null ? {} : { v: String(version) }),
      ...(tenantId === undefined ? {} : { tenantId }),
      ...(expires === undefined ? {} : { expires }),
      s: signer.sign(facts, picture),
    });
    const expiresAt = seconds === undefined ? null : toIsoString(seconds * 1000);
    const source = input.path ?? new URL(input.url ?? '').host;
    const after = { source, steps: printTransform(transform), version, expiresAt };
    const resource = { type: 'project', id: projectId } as const;
    const event = { action: 'project.sign-transform', resource, place: { projectId, tenantId }, after } as const;
    await record(this.#parts.db, clock, actor, event);
    return { url: `${publicUrl}${transformAddress(projectId, transform, input.path ?? '')}?${query}`, expiresAt };
  }

  /** For those who sign by themselves. Rotating the signing key of the project ends it. */
  async key(actor: Actor, id: string): Promise<TransformKey> {
    const projectId = await this.#authorizeWhole(actor, 'projects:write', id);
    const facts = await this.#parts.projects.facts(projectId);
    const resource = { type: 'project', id: projectId } as const;
    await record(this.#parts.db, this.#parts.clock, actor, {
      ...{ action: 'project.read-transform-key', resource, place: { projectId } },
    });
    return { key: this.#parts.signer.keyOf(facts).toString('base64url'), version: facts.signingKeyVersion };
  }

  /** Has every node remove the results of a file, of whatever version. */
  async purgeFile(actor: Actor, id: string): Promise<void> {
    const known = isId('file', id) ? await findFileKey(this.#parts.db, id) : null;
    if (!known || !isId('file', id)) throw new CarcosaError('not_found');
    assertCovers(await this.#parts.access.authorize(actor, 'transforms:delete', known.projectId), known);
    const place = { projectId: known.projectId, tenantId: known.tenantId };
    await this.#parts.transaction(async (tx) => {
      const resource = { type: 'file', id } as const;
      await record(tx, this.#parts.clock, actor, { action: 'file.purge-transforms', resource, place });
      await announcePurge(tx, { projectId: known.projectId, fileId: id });
    });
  }

  /** The same for all files of a project. */
  async purgeProject(actor: Actor, id: string): Promise<void> {
    const projectId = await this.#authorizeWhole(actor, 'transforms:delete', id);
    await this.#parts.transaction(async (tx) => {
      const resource = { type: 'project', id: projectId } as const;
      await record(tx, this.#parts.clock, actor, {
        action: 'project.purge-transforms',
        resource,
        place: { projectId },
      });
      await announcePurge(tx, { projectId, fileId: null });
    });
  }

  async #assertReadable(
    actor: Actor,
    at: { projectId: ProjectId; tenantId: string | undefined; path: string },
  ): Promise<void> {
    await this.#parts.serving.openAt(actor, { ...at, version: null, expires: undefined, signature: undefined });
  }

  async #authorizeWhole(
    actor: Actor,
    permission: 'projects:write' | 'transforms:delete',
    id: string,
  ): Promise<ProjectId> {
    if (!isId('project', id)) throw new CarcosaError('not_found');
    await this.#parts.access.authorizeWhole(actor, permission, id);
    return id;
  }
}
