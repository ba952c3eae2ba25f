import { CarcosaError, isCarcosaError } from '@carcosa/kernel';
import type { Content, Part, S3Api } from './client.ts';
import { completeAll, completeOnce } from './completion.ts';
import { copyParts, rewriteParts } from './copy-parts.ts';
import { assertPartNumber } from './part-size.ts';
import { mayReplace, sendVerified, type Writer, writerMetadata } from './verified-put.ts';

export interface MultipartTarget {
  /** The whole final key: it shows nothing of the upload until that is completed. */
  key: string;
  writer: Writer;
  contentType: string;
  /** Bytes of every part but the last. */
  partSize: number;
}

/** One upload's multipart upload at the provider, begun when it is first needed. Part n of it is the n-th of the content. */
export class Multipart {
  readonly #api: S3Api;
  readonly #target: MultipartTarget;
  #id: Promise<string> | null;
  /** Of the parts in order; `null` while one is on its way. */
  #etags: (string | null)[];
  /** How many parts the provider may hold: more than count where some were taken back. */
  #sent: number;
  /** Whether only this writer knows of it: others may have begun another, then. */
  readonly #own: boolean;

  /** @param begun what the provider has of it already */
  constructor(api: S3Api, target: MultipartTarget, begun?: { id: string; etags: string[] }) {
    this.#api = api;
    this.#target = target;
    this.#id = begun ? Promise.resolve(begun.id) : null;
    this.#etags = begun?.etags ?? [];
    this.#sent = this.#etags.length;
    this.#own = !begun;
  }

  /** Begins at once, so that its id can be saved before anybody writes. */
  static async begin(api: S3Api, target: MultipartTarget): Promise<Multipart> {
    return new Multipart(api, target, { id: await begin(api, target), etags: [] });
  }

  /**
   * Continues from the first `count` of the parts that the provider holds. With `alone` false others may be sending parts still:
   * they are shut out.
   * @throws CarcosaError `storage_unavailable`, final, when parts are missing
   */
  static async resume(
    api: S3Api,
    target: MultipartTarget,
    from: { id: string; held: readonly Part[]; count: number; length: number; alone: boolean },
  ): Promise<Multipart> {
    const { id, held, count, length } = from;
    const whole = held.slice(0, count).filter((part, index) => {
      return part.number === index + 1 && part.size === Math.min(target.partSize, length - index * target.partSize);
    });
    if (whole.length < count) {
      throw new CarcosaError('storage_unavailable', {
        message: `The bucket has lost acknowledged bytes of an upload: ${count} parts were sent, ${whole.length} are there whole.`,
        retryable: false,
      });
    }
    const etags = whole.map(({ etag }) => etag);
    const multipart = new Multipart(api, target, { id, etags });
    // Parts that nobody knows of come from a writer who was cut off, and perhaps from one who is still there.
    if (!from.alone || held.length > count) await multipart.#renew();
    return multipart;
  }

  /** Begins with the first `count` parts of an object that a multipart upload has become. */
  static async takeApart(
    api: S3Api,
    target: MultipartTarget,
    object: { etag: string },
    count: number,
  ): Promise<Multipart> {
    const multipart = await Multipart.begin(api, target);
    await multipart.#copyFrom(object, count);
    return multipart;
  }

  get count(): number {
    return this.#etags.length;
  }

  get hasBegun(): boolean {
    return this.#id !== null;
  }

  /** The provider's id of it. */
  id(): Promise<string> {
    this.#id ??= begin(this.#api, this.#target);
    return this.#id;
  }

  /** The place of the next part. @throws CarcosaError `payload_too_large` beyond what a provider takes */
  reserve(): number {
    assertPartNumber(this.count + 1);
    const index = this.#etags.push(null) - 1;
    this.#sent = Math.max(this.#sent, this.count);
    return index;
  }

  async send(index: number, content: Content): Promise<void> {
    const id = await this.id();
    this.#etags[index] = await sendVerified(content, () =>
      this.#api.uploadPart(this.#target.key, id, index + 1, content),
    );
  }

  /** Takes back all parts from `count` on. */
  truncate(count: number): void {
    this.#etags.length = count;
  }

  /**
   * Says that there will be `count` parts in the end, before a last one is sent that may be short: more may lie there, taken back,
   * and some providers (Ceph) make no object unless all are named.
   */
  async endAt(count: number): Promise<void> {
    if (this.#sent > count) await this.#renew();
  }

  /**
   * Makes the object of all parts, once: right too where it was made before, or where the answer says otherwise than the bucket.
   * @param size bytes of all parts
   * @throws CarcosaError `not_found` when there is neither the multipart upload nor the object, `upload_fenced` when another
   *   writer has made the object, `checksum_mismatch`
   */
  async complete(size: number): Promise<void> {
    const { key, writer } = this.#target;
    // One that all writers share ends with its completion; one of our own would replace what a later writer has made.
    const made = this.#own ? await this.#api.head(key) : null;
    if (made && !mayReplace(made, writer)) throw new CarcosaError('upload_fenced');
    const parts = this.#etags.map((etag, index) => ({ number: index + 1, etag: etag ?? '' }));
    await completeOnce(this.#api, { key, id: await this.id(), parts, uploadId: writer.uploadId, size });
  }

  /**
   * Moves the parts into another multipart upload, which nobody else knows. The old one is ended by completing it, since its parts
   * can be read, and copied within the bucket, in no other way; should we end here, the object under the key begins with our parts,
   * and whoever resumes takes it apart.
   */
  async #renew(): Promise<void> {
    const { key } = this.#target;
    const old = await this.id();
    if (this.count === 0) {
      await this.#api.abortMultipart(key, old);
      this.#id = begin(this.#api, this.#target);
      await this.#id;
      return;
    }
    await completeAll(this.#api, key, old);
    const object = await this.#api.head(key);
    if (!object) throw new CarcosaError('not_found');
    this.#id = begin(this.#api, this.#target);
    await this.#copyFrom(object, this.count);
  }

  async #copyFrom(object: { etag: string }, count: number): Promise<void> {
    const { key, partSize } = this.#target;
    const source = { key, etag: object.etag };
    const shape = { count, partSize, size: count * partSize };
    const id = await this.id();
    this.#etags = await copyParts(this.#api, source, { key, id }, shape).catch((error) => {
      if (isCarcosaError(error) && error.retryable) throw error;
      // Not every provider can, and Ceph looks for another name where there is a "%" in it.
      return rewriteParts(this.#api, source, { key, id }, shape);
    });
    this.#sent = count;
  }
}

/** Aborts all unfinished multipart uploads of a key, and those of `ids` too. */
export async function abortAll(api: S3Api, key: string, ids: readonly string[] = []): Promise<void> {
  const all = new Set([...(await api.listMultiparts(key)), ...ids]);
  await Promise.all(Array.from(all, (id) => api.abortMultipart(key, id)));
}

function begin(api: S3Api, { key, writer, contentType }: MultipartTarget): Promise<string> {
  return api.createMultipart(key, { contentType, metadata: writerMetadata(writer) });
}
