import type { Readable } from 'node:stream';
import { type Random, randomToken, systemRandom } from '@carcosa/kernel';
import type {
  DiagnosisCapability,
  ObjectStat,
  ObjectStore,
  PresignCapability,
  ReadOptions,
  StagedObject,
  StagedRef,
  StageInput,
} from '../../port.ts';
import { BufferPool } from './buffer-pool.ts';
import { S3Api } from './client.ts';
import { resolveConfig, type S3StoreConfig } from './config.ts';
import { copyObject } from './copy.ts';
import { S3Diagnosis } from './diagnosis.ts';
import { DirectUploads } from './direct.ts';
import { Gate } from './gate.ts';
import { Layout } from './layout.ts';
import { abortAll } from './multipart.ts';
import { openBody } from './object-body.ts';
import { ParkedHashes } from './parked-hashes.ts';
import type { StagingContext } from './staged-start.ts';
import { resumeObject, stageObject } from './staging.ts';

/** Part buffers that are kept for the next upload: 24 MiB. */
const SPARE_BUFFERS = 3;

/** A bucket of any provider that speaks S3. */
export class S3ObjectStore implements ObjectStore {
  readonly provider = 's3';
  readonly presign: PresignCapability;
  readonly diagnosis: DiagnosisCapability;
  readonly #api: S3Api;
  readonly #layout: Layout;
  readonly #staging: StagingContext;
  readonly #random: Random;

  private constructor(api: S3Api, random: Random) {
    this.#api = api;
    this.#random = random;
    this.#layout = new Layout(api.config.prefix);
    this.presign = new DirectUploads(api, this.#layout);
    this.diagnosis = new S3Diagnosis({ config: api.config, layout: this.#layout, random });
    this.#staging = {
      api,
      layout: this.#layout,
      gate: new Gate(api.config.maxPartsInFlight),
      parked: new ParkedHashes(),
      buffers: new BufferPool(SPARE_BUFFERS),
    };
  }

  /** Sends nothing yet: see {@link probe}. @throws CarcosaError `configuration_invalid` */
  static async open(config: S3StoreConfig, random: Random = systemRandom): Promise<S3ObjectStore> {
    return new S3ObjectStore(await S3Api.open(resolveConfig(config)), random);
  }

  /**
   * Asks the provider whether the bucket is there and ours to use.
   * @throws CarcosaError `storage_misconfigured`, `storage_unavailable`
   */
  probe(): Promise<void> {
    return this.#api.probe();
  }

  stage(input: StageInput): Promise<StagedObject> {
    return stageObject(this.#staging, input, this.#token());
  }

  resume(ref: StagedRef, at: { durable: number; takeover: boolean; fence?: number }): Promise<StagedObject> {
    return resumeObject(this.#staging, ref, at, this.#token());
  }

  async discard(staged: { uploadId: string; key: string; ref: StagedRef | null }): Promise<void> {
    const key = this.#layout.object(staged.key);
    const multipart = staged.ref?.multipart;
    await Promise.all([
      // Listed too, because a crash may have left one before its id was saved.
      abortAll(this.#api, key, typeof multipart === 'string' ? [multipart] : []),
      this.#api.delete(this.#layout.incoming(staged.uploadId)),
      this.#removeAll(this.#layout.staging(staged.uploadId)),
    ]);
  }

  async read(key: string, options: ReadOptions = {}): Promise<Readable> {
    return openBody(this.#api, this.#layout.object(key), options);
  }

  async stat(key: string): Promise<ObjectStat | null> {
    const head = await this.#api.head(this.#layout.object(key));
    if (!head) return null;
    const { size, lastModified, etag, sha256 } = head;
    return { key, size, lastModified, etag, ...(sha256 ? { sha256 } : {}) };
  }

  async delete(key: string): Promise<void> {
    await this.#api.delete(this.#layout.object(key));
  }

  async copy(from: string, to: string): Promise<void> {
    await copyObject(this.#api, this.#layout.object(from), this.#layout.object(to), this.#token());
  }

  async *list(prefix: string): AsyncIterable<ObjectStat> {
    for await (const found of this.#api.list(this.#layout.prefix + prefix)) {
      const key = this.#layout.key(found.key);
      if (key !== null) yield { ...found, key };
    }
  }

  async close(): Promise<void> {
    this.#api.close();
  }

  async #removeAll(prefix: string): Promise<void> {
    for await (const { key } of this.#api.list(prefix)) await this.#api.delete(key);
  }

  #token(): string {
    return randomToken(this.#random, 12);
  }
}
