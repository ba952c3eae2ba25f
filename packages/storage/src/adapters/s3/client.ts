import { Buffer } from 'node:buffer';
import { Readable } from 'node:stream';
import type * as Sdk from '@aws-sdk/client-s3';
import { isCarcosaError } from '@carcosa/kernel';
import type { ResolvedS3Config } from './config.ts';
import { connect } from './connection.ts';
import { toStorageError } from './errors.ts';

/** What an answer says of an object or part. */
export interface Etag {
  /** Without quotes; empty when there was none. */
  etag: string;
  /** Whether the ETag is the MD5 of the bytes (of a part's, or of the parts' MD5s followed by "-" and their number). */
  md5: boolean;
}

export interface ObjectHead extends Etag {
  size: number;
  lastModified: number;
  sha256?: string;
  contentType: string;
  metadata: Record<string, string>;
}

export interface Part {
  number: number;
  etag: string;
  size: number;
}

export interface PutOptions {
  contentType?: string;
  metadata?: Record<string, string>;
  /** "absent": only where there is nothing yet; otherwise only over the object of that ETag. */
  replaces?: 'absent' | { etag: string };
}

export interface Content {
  bytes: Buffer;
  /** MD5 in base64: the provider refuses bytes that differ, and with it signed they need no other hash. */
  md5: string;
}

/**
 * The requests that we make of a provider, by whole keys, with its errors mapped. The only user of the AWS SDK beside the
 * signer, which is loaded when the first bucket is opened: it costs 150 ms and 40 MB.
 */
export class S3Api {
  readonly sdk: typeof Sdk;
  readonly config: ResolvedS3Config;
  readonly client: Sdk.S3Client;

  private constructor(sdk: typeof Sdk, config: ResolvedS3Config) {
    this.sdk = sdk;
    this.config = config;
    this.client = connect(sdk, config, config.endpoint);
  }

  static async open(config: ResolvedS3Config): Promise<S3Api> {
    return new S3Api(await import('@aws-sdk/client-s3'), config);
  }

  async put(key: string, content: Content, options: PutOptions = {}): Promise<Etag> {
    const { replaces } = options;
    const answer = await this.#ask(
      this.client.send(
        new this.sdk.PutObjectCommand({
          ...this.at(key),
          Body: content.bytes,
          ContentMD5: content.md5,
          ContentLength: content.bytes.length,
          ContentType: options.contentType,
          Metadata: options.metadata,
          ...(replaces === 'absent' ? { IfNoneMatch: '*' } : replaces ? { IfMatch: replaces.etag } : {}),
        }),
      ),
    );
    return this.#etag(answer);
  }

  async head(key: string): Promise<ObjectHead | null> {
    try {
      const answer = await this.#ask(
        this.client.send(new this.sdk.HeadObjectCommand({ ...this.at(key), ChecksumMode: 'ENABLED' })),
      );
      // A checksum of checksums of parts ("…-3") says nothing that a client could compare.
      const sha256 = answer.ChecksumSHA256?.includes('-') ? undefined : answer.ChecksumSHA256;
      return {
        ...this.#etag(answer),
        size: answer.ContentLength ?? 0,
        lastModified: answer.LastModified?.getTime() ?? 0,
        contentType: answer.ContentType ?? 'application/octet-stream',
        metadata: answer.Metadata ?? {},
        ...(sha256 ? { sha256: Buffer.from(sha256, 'base64').toString('hex') } : {}),
      };
    } catch (error) {
      // An answer to HEAD has no body that would name the error.
      return nullIfGone(error);
    }
  }

  /** Opens an object, or an inclusive range of it. `size` is what the body should hold. */
  async get(
    key: string,
    options: { range?: { start: number; end: number }; etag?: string; signal?: AbortSignal } = {},
  ) {
    const { range, etag, signal } = options;
    const command = new this.sdk.GetObjectCommand({
      ...this.at(key),
      ...(range ? { Range: `bytes=${range.start}-${range.end}` } : {}),
      ...(etag ? { IfMatch: `"${etag}"` } : {}),
    });
    const answer = await this.#ask(this.client.send(command, signal ? { abortSignal: signal } : {}));
    const { Body: body } = answer;
    if (!(body instanceof Readable)) throw new TypeError('The AWS SDK gave something other than a Node stream.');
    return { body, size: answer.ContentLength ?? 0, etag: unquote(answer.ETag) };
  }

  async delete(key: string): Promise<void> {
    await this.#ask(this.client.send(new this.sdk.DeleteObjectCommand(this.at(key)))).catch(nullIfGone);
  }

  /** One request each: not all providers take the request for many without a checksum of their own liking. */
  async deleteAll(keys: Iterable<string>): Promise<void> {
    await Promise.all(Array.from(keys, (key) => this.delete(key)));
  }

  async *list(prefix: string): AsyncGenerator<{ key: string; size: number; lastModified: number; etag: string }> {
    let token: string | undefined;
    do {
      const page = await this.#ask(
        this.client.send(
          new this.sdk.ListObjectsV2Command({ Bucket: this.config.bucket, Prefix: prefix, ContinuationToken: token }),
        ),
      );
      for (const { Key, Size, LastModified, ETag } of page.Contents ?? []) {
        if (Key) yield { key: Key, size: Size ?? 0, lastModified: LastModified?.getTime() ?? 0, etag: unquote(ETag) };
      }
      token = page.IsTruncated ? page.NextContinuationToken : undefined;
    } while (token);
  }

  /** Asks for nothing but whether we may. @throws CarcosaError `storage_misconfigured`, `storage_unavailable` */
  async probe(): Promise<void> {
    await this.#ask(
      this.client.send(
        new this.sdk.ListObjectsV2Command({ Bucket: this.config.bucket, Prefix: this.config.prefix, MaxKeys: 1 }),
      ),
    );
  }

  /** Returns the copy's ETag. `etag`: only while the source has it (not all providers heed that). */
  async copy(from: string, to: string, options: { etag?: string; replaces?: 'absent' } = {}): Promise<string> {
    const answer = await this.#ask(
      this.client.send(
        new this.sdk.CopyObjectCommand({
          ...this.at(to),
          CopySource: this.#source(from),
          ...(options.etag ? { CopySourceIfMatch: `"${options.etag}"` } : {}),
          ...(options.replaces ? { IfNoneMatch: '*' } : {}),
        }),
      ),
    );
    return unquote(answer.CopyObjectResult?.ETag);
  }

  async createMultipart(key: string, options: Omit<PutOptions, 'replaces'> = {}): Promise<string> {
    const answer = await this.#ask(
      this.client.send(
        new this.sdk.CreateMultipartUploadCommand({
          ...this.at(key),
          ContentType: options.contentType,
          Metadata: options.metadata,
        }),
      ),
    );
    if (!answer.UploadId) throw new TypeError('The provider gave no id for a multipart upload.');
    return answer.UploadId;
  }

  async uploadPart(key: string, uploadId: string, number: number, content: Content): Promise<Etag> {
    const answer = await this.#ask(
      this.client.send(
        new this.sdk.UploadPartCommand({
          ...this.part(key, uploadId, number),
          Body: content.bytes,
          ContentMD5: content.md5,
          ContentLength: content.bytes.length,
        }),
      ),
    );
    return this.#etag(answer);
  }

  /** Fills a part from an inclusive range of an object; returns the part's ETag. */
  async copyPart(
    key: string,
    uploadId: string,
    number: number,
    source: { key: string; etag: string; start: number; end: number },
  ): Promise<string> {
    const answer = await this.#ask(
      this.client.send(
        new this.sdk.UploadPartCopyCommand({
          ...this.part(key, uploadId, number),
          CopySource: this.#source(source.key),
          CopySourceIfMatch: `"${source.etag}"`,
          CopySourceRange: `bytes=${source.start}-${source.end}`,
        }),
      ),
    );
    return unquote(answer.CopyPartResult?.ETag);
  }

  /** The parts that have arrived, by number; `null` when there is no such multipart upload (any more). */
  async listParts(key: string, uploadId: string): Promise<Part[] | null> {
    const parts: Part[] = [];
    let marker: string | undefined;
    try {
      do {
        const page = await this.#ask(
          this.client.send(
            new this.sdk.ListPartsCommand({ ...this.at(key), UploadId: uploadId, PartNumberMarker: marker }),
          ),
        );
        for (const { PartNumber, ETag, Size } of page.Parts ?? []) {
          parts.push({ number: PartNumber ?? 0, etag: unquote(ETag), size: Size ?? 0 });
        }
        marker = page.IsTruncated ? page.NextPartNumberMarker : undefined;
      } while (marker);
    } catch (error) {
      return nullIfGone(error);
    }
    return parts;
  }

  async completeMultipart(key: string, uploadId: string, parts: { number: number; etag: string }[]): Promise<Etag> {
    const answer = await this.#ask(
      this.client.send(
        new this.sdk.CompleteMultipartUploadCommand({
          ...this.at(key),
          UploadId: uploadId,
          MultipartUpload: { Parts: parts.map(({ number, etag }) => ({ PartNumber: number, ETag: `"${etag}"` })) },
        }),
      ),
    );
    return this.#etag(answer);
  }

  async abortMultipart(key: string, uploadId: string): Promise<void> {
    await this.#ask(
      this.client.send(new this.sdk.AbortMultipartUploadCommand({ ...this.at(key), UploadId: uploadId })),
    ).catch(nullIfGone);
  }

  /** Ids of the unfinished multipart uploads of exactly that key. */
  async listMultiparts(key: string): Promise<string[]> {
    const ids: string[] = [];
    let markers: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } | null = {};
    while (markers) {
      const page: Sdk.ListMultipartUploadsCommandOutput = await this.#ask(
        this.client.send(
          new this.sdk.ListMultipartUploadsCommand({ Bucket: this.config.bucket, Prefix: key, ...markers }),
        ),
      );
      for (const { Key, UploadId } of page.Uploads ?? []) if (Key === key && UploadId) ids.push(UploadId);
      markers = page.IsTruncated ? { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker } : null;
    }
    return ids;
  }

  close(): void {
    this.client.destroy();
  }

  at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.config.bucket, Key: key };
  }

  part(key: string, uploadId: string, number: number) {
    return { ...this.at(key), UploadId: uploadId, PartNumber: number };
  }

  #source(key: string): string {
    return `${this.config.bucket}/${key.split('/').map(encodeURIComponent).join('/')}`;
  }

  #etag(answer: { ETag?: string | undefined; ServerSideEncryption?: string | undefined }): Etag {
    const etag = unquote(answer.ETag);
    const opaque = !this.config.etagIsMd5 || answer.ServerSideEncryption?.startsWith('aws:kms') === true;
    return { etag, md5: !opaque && /^[0-9a-f]{32}(-\d{1,5})?$/.test(etag) };
  }

  async #ask<Answer>(answer: Promise<Answer>): Promise<Answer> {
    try {
      return await answer;
    } catch (error) {
      throw toStorageError(error);
    }
  }
}

function unquote(etag: string | undefined): string {
  return etag?.replaceAll('"', '') ?? '';
}

function nullIfGone(error: unknown): null {
  if (isCarcosaError(error, 'not_found')) return null;
  throw error;
}
