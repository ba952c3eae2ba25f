import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import {
  type ImageFormat,
  type ImageTransform,
  printTransform,
  type ResolvedTransform,
  type TransformStatistics,
} from '@carcosa/contracts';
import {
  CarcosaError,
  type Clock,
  isCarcosaError,
  isId,
  type Logger,
  type ObjectId,
  type ProjectId,
} from '@carcosa/kernel';
import type { AnyImageTask, ImagePoolStatistics, ImageResult } from '@carcosa/media';
import type { Access } from '../access/access.ts';
import type { Actor } from '../access/actor.ts';
import type { StoreRegistry } from '../buckets/store-registry.ts';
import type { RateLimiter } from '../limits/rate-limiter.ts';
import type { ProjectFacts } from '../projects/project-facts.ts';
import type { Quotas } from '../quotas/quotas.ts';
import type { ServedFile, ServingService } from '../serving/index.ts';
import type { UsageMeter } from '../usage/usage-meter.ts';
import { formatOf, resolveFormat, unreadableType } from './negotiate.ts';
import { ReducedCopies } from './reduced-copies.ts';
import type { RemotePictures } from './remote-pictures.ts';
import { overlaysOf, refusalOf, usesFocalPoint, withFocalPoint, withPreset } from './transform-rules.ts';
import type { TransformSigner } from './transform-signer.ts';
import { type VariantBody, type VariantCache, type VariantOwner, variantName } from './variant-cache.ts';

/** What makes pictures. */
export interface ImageEngine {
  run(task: AnyImageTask): Promise<ImageResult>;
  readonly isIdle: boolean;
  readonly statistics: ImagePoolStatistics;
}

export interface TransformServiceParts {
  readonly access: Access;
  readonly projects: { facts(id: ProjectId): ProjectFacts | Promise<ProjectFacts> };
  readonly serving: ServingService;
  readonly stores: StoreRegistry;
  readonly engine: ImageEngine;
  readonly cache: VariantCache;
  readonly remote: RemotePictures;
  readonly signer: TransformSigner;
  readonly limiter: RateLimiter;
  readonly quotas: Pick<Quotas, 'countTransform'>;
  readonly usage: Pick<UsageMeter, 'countTransform'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A picture that somebody wants, and what shows that they may have it. */
export interface TransformInput {
  readonly projectId: string;
  /** Whose file it is; absent: the project's own, or those of the tenant that the actor is confined to. */
  readonly tenantId: string | undefined;
  readonly path: string;
  /** The address of a picture elsewhere, instead of a path. */
  readonly url: string | undefined;
  /** Null: the present one. */
  readonly version: number | null;
  readonly transform: ImageTransform;
  /** `Accept` of the request. */
  readonly accept: string | undefined;
  readonly expires: string | undefined;
  /** Of the signed address of the file. */
  readonly signature: string | undefined;
  /** Of the address of this transform. */
  readonly transformSignature: string | undefined;
  /** The address of the client, as limits count it. */
  readonly client: string;
}

/** A result that may be had, whether it was made already or not. */
export interface TransformedFile {
  /** Null for a picture from elsewhere. */
  readonly file: ServedFile | null;
  /** Whose it is, for what counts usage: one object for as long as it is the same. */
  readonly place: Place;
  /** All that was decided by: while each is remembered as it is here, the answer is the same. */
  readonly files: readonly { readonly version: number | null; readonly file: ServedFile }[];
  readonly facts: ProjectFacts;
  /** Of the original. */
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly lastModified: number;
  /** Whether everybody who has the address may have the answer. */
  readonly isPublic: boolean;
  /** Whole seconds until the address ends; null for one that does not. */
  readonly expiresIn: number | null;
  /** Whether the address leads to these very pixels for ever. */
  readonly isLasting: boolean;
  /** Strong in form, with its quotes: of the content and of what is done with it, not of the bytes. */
  readonly etag: string;
  readonly contentType: string;
  /** Whether the answer depends on `Accept`. */
  readonly isNegotiated: boolean;
  /** `isHit`: it was made already, or another request has it made. */
  load(): Promise<{ readonly body: VariantBody; readonly isHit: boolean }>;
}

type Place = Pick<ServedFile, 'projectId' | 'tenantId' | 'bucketId'>;

interface Stranger {
  readonly actor: Actor | null;
  readonly client: string;
  readonly objectId: ObjectId;
  readonly rateLimits: ServedFile['rateLimits'];
}

/** What a result is made of. */
interface Making {
  readonly place: Place;
  /** Who asked first. */
  readonly actor: Actor | null;
  readonly projectId: ProjectId;
  readonly objectId: string;
  readonly transform: ResolvedTransform;
  readonly overlays: readonly ServedFile[];
  /** Whom the limit of new results counts, unless they may read or transform files of the project; null: nobody. */
  readonly stranger: Stranger | null;
  /** Brings the original as a file of this machine, for as long as it is worked with. */
  withSource<Result>(work: (path: string) => Promise<Result>): Promise<Result>;
}

/** Raised when the same transform comes to make other bytes: results of before are not served any more. */
const GENERATION = 2;
/** Bytes of an original, at most. */
export const MAX_SOURCE_BYTES = 128 * 1024 * 1024;
/** Contents that are remembered to be purged when they are replaced; results of others go when others need their room. */
const MAX_CONTENTS = 10_000;
/** A picture from elsewhere is fetched anew on another day. */
const DAY_MS = 86_400_000;

/** Pictures made of files: each once, however many ask for it at the same time, and however they write it. */
export class TransformService {
  readonly #parts: TransformServiceParts;
  readonly #reduced: ReducedCopies;
  readonly #underWay = new Map<string, Promise<VariantBody>>();
  /** Contents of which results were asked for, by the key of their file. */
  readonly #contents = new Map<string, ObjectId>();
  /** Of projects, for pictures from elsewhere. */
  readonly #places = new WeakMap<ProjectFacts, Place>();
  #purges = 0;
  readonly #hits = { memory: 0, disk: 0, shared: 0 };
  readonly #tally = { misses: 0, failed: 0 };

  constructor(parts: TransformServiceParts) {
    this.#parts = parts;
    this.#reduced = new ReducedCopies(parts);
  }

  /** Of this process, since the start. */
  get statistics(): TransformStatistics {
    const { cache, engine } = this.#parts;
    const { statistics: reduced } = this.#reduced;
    return { hits: { ...this.#hits }, ...this.#tally, reduced, cache: cache.statistics, processes: engine.statistics };
  }

  /** Counts an answer that was remembered together with its headers. */
  countHit(): void {
    this.#hits.memory += 1;
  }

  /**
   * Finds the result of a transform, for whoever may read the file: everybody where it is public; otherwise who has a signed
   * address, or may read files or transform them in its project. What a project allows without a signature is in its settings.
   * @param actor null: nobody that we know
   * @throws CarcosaError `not_found`, `forbidden`, `signature_invalid`, `transform_not_allowed`, `invalid_request`,
   *   `unsupported_media_type`, `image_too_large`; loading it also `quota_exceeded`, where it has to be made
   */
  async open(actor: Actor | null, input: TransformInput): Promise<TransformedFile> {
    const { projectId } = input;
    if (!isId('project', projectId)) throw new CarcosaError('not_found');
    const facts = await this.#parts.projects.facts(projectId);
    const signedFor = this.#verify(facts, input);
    const isVouched = signedFor !== null;
    const transform = withPreset(input.transform, facts.presets);
    const refusal = refusalOf(facts.settings, input.transform, transform);
    if (refusal !== null && !isVouched && !(await this.#may(actor, refusal.needs, projectId))) throw refusal.error;
    const overlays = await this.#overlays(actor, input, { transform, isVouched });
    const isForAll = isVouched || refusal === null;
    const known = { facts, transform, overlays, isVouched, isForAll, expiresIn: signedFor?.expiresIn ?? null };
    return input.url === undefined
      ? await this.#openStored(actor, input, known)
      : this.#openRemote(actor, { ...input, url: input.url }, known);
  }

  /** Rises with each purge: what was answered before is not answered again from memory alone. */
  get purges(): number {
    return this.#purges;
  }

  /** Removes the results that this process keeps. @returns how many */
  purge(owner: VariantOwner): Promise<number> {
    this.#purges += 1;
    return this.#parts.cache.purge(owner);
  }

  /** To be told of files that were changed, after what serves them: the results of a content that was replaced or removed go. */
  async filesChanged(keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      const objectId = this.#contents.get(key);
      if (objectId === undefined) continue;
      const file = await this.#parts.serving.current(key);
      if (file?.objectId === objectId) continue;
      this.#contents.delete(key);
      await this.purge({ objectId });
    }
  }

  /** Resolves when all results lie on stable storage. */
  async close(): Promise<void> {
    this.#reduced.close();
    await this.#parts.cache.settled();
  }

  async #openStored(actor: Actor | null, input: TransformInput, known: Known): Promise<TransformedFile> {
    const { projectId, tenantId, path, version, expires, signature } = input;
    const { facts, overlays, isVouched, isForAll } = known;
    const place = { projectId, tenantId, path, version, vouched: isVouched };
    const own = isVouched ? { expires: undefined, signature: undefined } : { expires, signature };
    const opened = await this.#parts.serving.openAt(actor, { ...place, ...own });
    const { file } = opened;
    const original = assertPicture(file);
    const { transform, isNegotiated } = resolved(input, withFocalPoint(known.transform, file.focalPoint), original);
    const { client } = input;
    const making: Making = {
      ...{ place: file, actor, projectId: file.projectId, objectId: file.objectId, transform, overlays },
      stranger: isVouched ? null : { actor, client, objectId: file.objectId, rateLimits: file.rateLimits },
      withSource: (work) => this.#withFile(file, work),
    };
    if (version === null) this.#remember(file);
    const name = nameOf(making);
    const isFixed = known.transform === input.transform && !usesFocalPoint(known.transform);
    return {
      ...{ file, place: file, facts, isNegotiated, name: file.name, lastModified: file.lastModified.getTime() },
      files: [{ version, file }, ...overlays.map((overlay) => ({ version: null, file: overlay }))],
      isPublic: isForAll && [file, ...overlays].every(({ visibility }) => visibility === 'public'),
      expiresIn: opened.expiresIn ?? known.expiresIn,
      isLasting: isFixed && (version !== null || file.version === 1) && overlays.every((each) => each.version === 1),
      etag: etagOf(name),
      contentType: `image/${transform.format}`,
      load: () => this.#load(name, making),
    };
  }

  #remember({ key, objectId }: ServedFile): void {
    if (this.#contents.get(key) === objectId) return;
    if (this.#contents.size >= MAX_CONTENTS) this.#contents.clear();
    this.#contents.set(key, objectId);
  }

  #placeOf(facts: ProjectFacts): Place {
    const known = this.#places.get(facts);
    if (known) return known;
    const place: Place = { projectId: facts.id, tenantId: '', bucketId: facts.bucketId };
    this.#places.set(facts, place);
    return place;
  }

  #openRemote(actor: Actor | null, input: TransformInput & { url: string }, known: Known): TransformedFile {
    const { facts, overlays, isVouched, isForAll } = known;
    const { url, client } = input;
    const hosts = facts.settings.transformHosts;
    const place = this.#placeOf(facts);
    const { pathname } = this.#parts.remote.assertAllowed(url, hosts);
    const day = Math.floor(this.#parts.clock.now() / DAY_MS);
    // Nobody knows what it is before it has come: WebP, which all browsers read, can be of any picture.
    const { transform, isNegotiated } = resolved(input, withFocalPoint(known.transform, null), 'webp');
    const making: Making = {
      ...{ place, actor, projectId: facts.id, objectId: `${url}\n${day}`, transform, overlays },
      // All addresses of the project share what one client may have made of them.
      stranger: isVouched
        ? null
        : { actor, client, objectId: facts.id as unknown as ObjectId, rateLimits: facts.settings.rateLimits },
      withSource: (work) => this.#withRemote(url, hosts, work),
    };
    const name = nameOf(making);
    return {
      ...{
        file: null,
        place,
        facts,
        isNegotiated,
        name: pathname.split('/').at(-1) || 'picture',
        lastModified: day * DAY_MS,
      },
      files: overlays.map((file) => ({ version: null, file })),
      isPublic: isForAll && overlays.every(({ visibility }) => visibility === 'public'),
      expiresIn: known.expiresIn,
      isLasting: false,
      etag: etagOf(name),
      contentType: `image/${transform.format}`,
      load: () => this.#load(name, making),
    };
  }

  /** What a signature of the address is good for; null without one. @throws CarcosaError `signature_invalid` */
  #verify(facts: ProjectFacts, input: TransformInput): { expiresIn: number | null } | null {
    const { transformSignature: signature, tenantId, path, url, version, expires, transform } = input;
    if (signature === undefined) return null;
    const picture = { tenantId, source: url ?? path, version, expires, transform };
    const left = expires === undefined ? null : Number(expires) * 1000 - this.#parts.clock.now();
    if (!this.#parts.signer.verify(facts, picture, signature) || (left !== null && !(left > 0)))
      throw new CarcosaError('signature_invalid');
    return { expiresIn: left === null ? null : Math.floor(left / 1000) };
  }

  async #may(
    actor: Actor | null,
    permission: 'files:read' | 'transforms:execute',
    projectId: ProjectId,
  ): Promise<boolean> {
    if (!actor) return false;
    try {
      await this.#parts.access.authorize(actor, permission, projectId);
      return true;
    } catch (error) {
      if (isCarcosaError(error, 'forbidden') || isCarcosaError(error, 'not_found')) return false;
      throw error;
    }
  }

  /** Whoever may not read an overlay learns as little of it as of any file. */
  async #overlays(
    actor: Actor | null,
    { projectId, tenantId }: TransformInput,
    { transform, isVouched: vouched }: { transform: ImageTransform; isVouched: boolean },
  ): Promise<ServedFile[]> {
    const nothing = { version: null, expires: undefined, signature: undefined };
    const open = async (path: string): Promise<ServedFile> => {
      const { file } = await this.#parts.serving.openAt(actor, { projectId, tenantId, path, ...nothing, vouched });
      assertPicture(file);
      return file;
    };
    return await Promise.all(overlaysOf(transform).map(open));
  }

  async #load(name: string, making: Making): Promise<{ body: VariantBody; isHit: boolean }> {
    const found = this.#parts.cache.get(name);
    const kept = found instanceof Promise ? await found : found;
    if (kept) {
      this.#hits[found instanceof Promise ? 'disk' : 'memory'] += 1;
      return { body: kept, isHit: true };
    }
    const underWay = this.#underWay.get(name);
    if (underWay) return await this.#share(underWay);
    if (making.stranger !== null) {
      await this.#assertMore(making.projectId, making.stranger);
      const meanwhile = this.#underWay.get(name);
      if (meanwhile) return await this.#share(meanwhile);
    }
    this.#tally.misses += 1;
    const work = this.#make(name, making).finally(() => this.#underWay.delete(name));
    this.#underWay.set(name, work);
    try {
      return { body: await work, isHit: false };
    } catch (error) {
      this.#tally.failed += 1;
      throw error;
    }
  }

  async #share(work: Promise<VariantBody>): Promise<{ body: VariantBody; isHit: boolean }> {
    this.#hits.shared += 1;
    return { body: await work, isHit: true };
  }

  async #assertMore(projectId: ProjectId, { actor, objectId, rateLimits, client }: Stranger): Promise<void> {
    for (const permission of ['files:read', 'transforms:execute'] as const)
      if (await this.#may(actor, permission, projectId)) return;
    const limited = await this.#parts.limiter.takeVariant(objectId, rateLimits, client);
    if (limited?.allowed !== false) return;
    throw new CarcosaError('rate_limited', {
      message: 'You asked for too many different pictures of this file; those that were made already are still served.',
      details: { tier: 'expensive', limit: limited.limit },
      retryAfter: limited.waitMs / 1000,
    });
  }

  async #make(name: string, making: Making): Promise<VariantBody> {
    const { cache, engine, quotas, usage, clock } = this.#parts;
    const { place, actor, transform, overlays } = making;
    await quotas.countTransform(place.projectId, place.tenantId);
    const target = await cache.place();
    const copyName = variantName(making, `${GENERATION}\nreduced`);
    const suits = ReducedCopies.suits(transform);
    const reduced = suits ? await this.#reduced.find(copyName) : undefined;
    const copy = reduced === undefined ? {} : { reduced };
    const begun = clock.now();
    const result = await making.withSource((source) =>
      this.#withFiles(overlays, (paths) => engine.run({ source, target, transform, overlays: paths, ...copy })),
    );
    usage.countTransform(place, actor, clock.now() - begun);
    const body = await cache.keep(target, name);
    if (suits && reduced === undefined) this.#reduced.noticed(copyName, result, (work) => making.withSource(work));
    return body;
  }

  async #withFiles<Result>(files: readonly ServedFile[], work: (paths: string[]) => Promise<Result>): Promise<Result> {
    const [first, ...rest] = files;
    if (!first) return await work([]);
    return await this.#withFile(first, (path) => this.#withFiles(rest, (paths) => work([path, ...paths])));
  }

  /** Where the original lies as a file of this machine; brought here for as long as it is needed if it lies elsewhere. */
  async #withFile<Result>(file: ServedFile, work: (path: string) => Promise<Result>): Promise<Result> {
    const store = await this.#parts.stores.storeFor(file.bucketId);
    if (store.files) return await work(store.files.locate(file.storageKey));
    return await this.#withCopy(async (copy) => {
      try {
        await pipeline(await store.read(file.storageKey), createWriteStream(copy, { flags: 'wx' }));
      } catch (error) {
        if (!isCarcosaError(error, 'not_found')) throw error;
        const message = 'The bucket has lost the bytes of this file.';
        throw new CarcosaError('storage_unavailable', { message, cause: error });
      }
      return await work(copy);
    });
  }

  #withRemote<Result>(url: string, hosts: readonly string[], work: (path: string) => Promise<Result>): Promise<Result> {
    return this.#withCopy(async (copy) => {
      await this.#parts.remote.fetch(url, hosts, copy);
      return await work(copy);
    });
  }

  async #withCopy<Result>(work: (copy: string) => Promise<Result>): Promise<Result> {
    const copy = await this.#parts.cache.place();
    try {
      return await work(copy);
    } finally {
      await this.#parts.cache.drop(copy);
    }
  }
}

/** What was found before the original. */
interface Known {
  readonly facts: ProjectFacts;
  /** Its preset is resolved. */
  readonly transform: ImageTransform;
  readonly overlays: readonly ServedFile[];
  /** By a signature of the address. */
  readonly isVouched: boolean;
  /** Whether whoever has the address may have the picture, as far as the transform goes. */
  readonly isForAll: boolean;
  readonly expiresIn: number | null;
}

/** The format that a picture has by itself. @throws CarcosaError `unsupported_media_type`, `image_too_large` */
function assertPicture(file: ServedFile): ImageFormat {
  const format = formatOf(file.contentType);
  if (format === null) throw new CarcosaError('unsupported_media_type', { message: unreadableType(file.contentType) });
  if (file.size <= MAX_SOURCE_BYTES) return format;
  const message = `The original is larger than ${MAX_SOURCE_BYTES} bytes.`;
  throw new CarcosaError('image_too_large', { message, details: { maxBytes: MAX_SOURCE_BYTES } });
}

function resolved({ accept }: TransformInput, transform: ImageTransform, original: ImageFormat) {
  return { transform: resolveFormat(transform, original, accept), isNegotiated: transform.format === 'auto' };
}

function nameOf(making: Making): string {
  const overlays = making.overlays.map(({ objectId }) => objectId).join('\n');
  return variantName(making, `${GENERATION}\n${printTransform(making.transform)}\n${overlays}`);
}

/** Of what was asked, not of bytes: a result that is made again may differ in some of them. */
const etagOf = (name: string): string => `"${name.slice(0, 16)}${name.slice(-24)}"`;
