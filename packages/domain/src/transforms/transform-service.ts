import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { type ImageTransform, printTransform, type ResolvedTransform } from '@carcosa/contracts';
import { CarcosaError, type Clock, isCarcosaError } from '@carcosa/kernel';
import type { ImageResult, ImageTask } from '@carcosa/media';
import type { Actor } from '../access/actor.ts';
import type { StoreRegistry } from '../buckets/store-registry.ts';
import type { RateLimiter } from '../limits/rate-limiter.ts';
import type { Quotas } from '../quotas/quotas.ts';
import type { OpenedFile, ServedFile, ServingService } from '../serving/index.ts';
import type { UsageMeter } from '../usage/usage-meter.ts';
import { formatOf, resolveFormat } from './negotiate.ts';
import type { VariantBody, VariantCache } from './variant-cache.ts';

/** What makes pictures. */
export interface ImageEngine {
  run(task: ImageTask): Promise<ImageResult>;
}

export interface TransformServiceParts {
  readonly serving: ServingService;
  readonly stores: StoreRegistry;
  readonly engine: ImageEngine;
  readonly cache: VariantCache;
  readonly limiter: RateLimiter;
  readonly quotas: Pick<Quotas, 'countTransform'>;
  readonly usage: Pick<UsageMeter, 'countTransform'>;
  readonly clock: Clock;
}

/** A picture that somebody wants, and what shows that they may have it. */
export interface TransformInput {
  readonly projectId: string;
  /** Whose file it is; absent: the project's own, or those of the tenant that the actor is confined to. */
  readonly tenantId: string | undefined;
  readonly path: string;
  /** Null: the present one. */
  readonly version: number | null;
  readonly transform: ImageTransform;
  /** `Accept` of the request. */
  readonly accept: string | undefined;
  /** Of the signed address of the file. */
  readonly expires: string | undefined;
  readonly signature: string | undefined;
  /** The address of the client, as limits count it. */
  readonly client: string;
}

/** A result that may be had, whether it was made already or not. */
export interface TransformedFile {
  readonly opened: OpenedFile;
  /** Strong, with its quotes: other bytes have another one. */
  readonly etag: string;
  readonly contentType: string;
  /** Whether the answer depends on `Accept`. */
  readonly isNegotiated: boolean;
  /** `isHit`: it was made already, or another request has it made. */
  load(): Promise<{ readonly body: VariantBody; readonly isHit: boolean }>;
}

interface Wanted {
  readonly file: ServedFile;
  readonly transform: ResolvedTransform;
  /** Who asked first. */
  readonly actor: Actor | null;
}

/** Raised when the same transform comes to make other bytes: results of before are not served any more. */
const GENERATION = 1;
/** Bytes of an original, at most. */
export const MAX_SOURCE_BYTES = 128 * 1024 * 1024;

/** Pictures made of files: each once, however many ask for it at the same time, and however they write it. */
export class TransformService {
  readonly #parts: TransformServiceParts;
  readonly #underWay = new Map<string, Promise<VariantBody>>();
  #processed = 0;

  constructor(parts: TransformServiceParts) {
    this.#parts = parts;
  }

  /** Pictures that were made since the start. */
  get processed(): number {
    return this.#processed;
  }

  /**
   * Finds the result of a transform, for whoever may read the file: everybody where it is public; otherwise who has its signed
   * address, or may read files or transform them in its project.
   * @param actor null: nobody that we know
   * @throws CarcosaError `not_found`, `forbidden`, `signature_invalid`, `unsupported_media_type`, `image_too_large`; loading it also
   *   `quota_exceeded`, where it has to be made
   */
  async open(actor: Actor | null, input: TransformInput): Promise<TransformedFile> {
    const { projectId, tenantId, path, version, expires, signature } = input;
    const opened = await this.#parts.serving.openAt(actor, { projectId, tenantId, path, version, expires, signature });
    const { file } = opened;
    const original = formatOf(file.contentType);
    if (original === null) {
      const message = `Files of the type ${file.contentType} cannot be transformed; JPEG, PNG, WebP, AVIF, GIF and TIFF can.`;
      throw new CarcosaError('unsupported_media_type', { message });
    }
    if (file.size > MAX_SOURCE_BYTES) {
      const message = `The original is larger than ${MAX_SOURCE_BYTES} bytes.`;
      throw new CarcosaError('image_too_large', { message, details: { maxBytes: MAX_SOURCE_BYTES } });
    }
    const transform = resolveFormat(input.transform, original, input.accept);
    const name = nameOf(file, transform);
    return {
      opened,
      etag: `"${name.slice(0, 32)}"`,
      contentType: `image/${transform.format}`,
      isNegotiated: input.transform.format === 'auto',
      load: () => this.#load(name, { file, transform, actor }, actor ? null : input.client),
    };
  }

  /** @param stranger the address of somebody unknown, who may have only so many new results of one file; null for others */
  async #load(name: string, what: Wanted, stranger: string | null): Promise<{ body: VariantBody; isHit: boolean }> {
    const found = await this.#parts.cache.get(name);
    if (found) return { body: found, isHit: true };
    const underWay = this.#underWay.get(name);
    if (underWay) return { body: await underWay, isHit: true };
    if (stranger !== null) {
      await this.#assertMore(what.file, stranger);
      const meanwhile = this.#underWay.get(name);
      if (meanwhile) return { body: await meanwhile, isHit: true };
    }
    const making = this.#make(name, what).finally(() => this.#underWay.delete(name));
    this.#underWay.set(name, making);
    return { body: await making, isHit: false };
  }

  async #assertMore({ objectId, rateLimits }: ServedFile, client: string): Promise<void> {
    const limited = await this.#parts.limiter.takeVariant(objectId, rateLimits, client);
    if (limited?.allowed !== false) return;
    throw new CarcosaError('rate_limited', {
      message: 'You asked for too many different pictures of this file; those that were made already are still served.',
      details: { tier: 'expensive', limit: limited.limit },
      retryAfter: limited.waitMs / 1000,
    });
  }

  async #make(name: string, { file, transform, actor }: Wanted) {
    const { cache, engine, quotas, usage, clock } = this.#parts;
    await quotas.countTransform(file.projectId, file.tenantId);
    const target = await cache.place();
    this.#processed += 1;
    const begun = clock.now();
    await this.#withSource(file, (source) => engine.run({ source, target, transform }));
    usage.countTransform(file, actor, clock.now() - begun);
    return await cache.keep(target, name);
  }

  /** Where the original lies as a file of this machine; brought here for as long as it is needed if it lies elsewhere. */
  async #withSource<Result>(file: ServedFile, work: (path: string) => Promise<Result>): Promise<Result> {
    const store = await this.#parts.stores.storeFor(file.bucketId);
    if (store.files) return await work(store.files.locate(file.storageKey));
    const copy = await this.#parts.cache.place();
    try {
      await pipeline(await store.read(file.storageKey), createWriteStream(copy, { flags: 'wx' }));
      return await work(copy);
    } catch (error) {
      if (!isCarcosaError(error, 'not_found')) throw error;
      throw new CarcosaError('storage_unavailable', {
        message: 'The bucket has lost the bytes of this file.',
        cause: error,
      });
    } finally {
      await this.#parts.cache.drop(copy);
    }
  }
}

/** Of the bytes, which never change, and of what is done with them. */
function nameOf({ objectId }: ServedFile, transform: ResolvedTransform): string {
  return createHash('sha256')
    .update(`${GENERATION}\n${objectId}\n${printTransform(transform)}`)
    .digest('hex');
}
