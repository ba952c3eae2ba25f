import { CarcosaError } from '@carcosa/kernel';
import type { ObjectStat, PresignCapability, PresignedRequest, ReceivedPart, StagedRef } from '../../port.ts';
import type { S3Api } from './client.ts';
import { completeOnce } from './completion.ts';
import { connect } from './connection.ts';
import { httpStatus } from './errors.ts';
import type { Layout } from './layout.ts';
import { writerMetadata } from './verified-put.ts';

const MIB = 1024 * 1024;

/** What a direct upload's row keeps: enough to find its bytes at the provider. */
type DirectState = {
  readonly kind: 'direct';
  readonly uploadId: string;
  /** The final key, as the port says it. */
  readonly key: string;
  /** Id of the multipart upload; `null` for a single PUT. */
  readonly multipart: string | null;
};

/**
 * Uploads straight into the bucket. A single PUT goes to a place of its own and is copied from there, because its address is good
 * until it expires: sent once more, it must not change what was acknowledged. Parts go to a multipart upload, which ends at completion.
 */
export class DirectUploads implements PresignCapability {
  readonly limits = { minPartSize: 5 * MIB, maxPartSize: 5 * 1024 * MIB, maxParts: 10_000 };
  readonly #api: S3Api;
  readonly #layout: Layout;
  /** A client that knows the address which clients use. */
  readonly #signer: S3Api['client'];

  constructor(api: S3Api, layout: Layout) {
    this.#api = api;
    this.#layout = layout;
    const { endpoint, publicEndpoint } = api.config;
    this.#signer = publicEndpoint === endpoint ? api.client : connect(api.sdk, api.config, publicEndpoint);
  }

  async signPut(input: {
    ref: StagedRef;
    size: number;
    contentType: string;
    expiresIn: number;
  }): Promise<PresignedRequest> {
    const { getSignedUrl } = await loadSigner();
    const { uploadId } = parseDirectState(input.ref);
    const at = this.#api.at(this.#layout.incoming(uploadId));
    const command = new this.#api.sdk.PutObjectCommand({
      ...at,
      ContentLength: input.size,
      ContentType: input.contentType,
    });
    // Content-Length is signed too, but clients set it themselves, and browsers let nobody else do it.
    const url = await getSignedUrl(this.#signer, command, signing(input.expiresIn, 'content-type', 'content-length'));
    return { method: 'PUT', url, headers: { 'content-type': input.contentType } };
  }

  async signPart(input: {
    ref: StagedRef;
    partNumber: number;
    size: number;
    expiresIn: number;
  }): Promise<PresignedRequest> {
    const { getSignedUrl } = await loadSigner();
    const { key, multipart } = parseDirectState(input.ref);
    if (multipart === null) throw new CarcosaError('internal_error', { message: 'This upload has no parts.' });
    const part = this.#api.part(this.#layout.object(key), multipart, input.partNumber);
    const command = new this.#api.sdk.UploadPartCommand({ ...part, ContentLength: input.size });
    return {
      method: 'PUT',
      url: await getSignedUrl(this.#signer, command, signing(input.expiresIn, 'content-length')),
      headers: {},
    };
  }

  async signGet(input: {
    key: string;
    expiresIn: number;
    contentDisposition?: string;
    contentType?: string;
  }): Promise<PresignedRequest> {
    const { getSignedUrl } = await loadSigner();
    const command = new this.#api.sdk.GetObjectCommand({
      ...this.#api.at(this.#layout.object(input.key)),
      ResponseContentDisposition: input.contentDisposition,
      ResponseContentType: input.contentType,
    });
    return { method: 'GET', url: await getSignedUrl(this.#signer, command, signing(input.expiresIn)), headers: {} };
  }

  async begin(input: {
    uploadId: string;
    key: string;
    strategy: 'single' | 'multipart';
    contentType: string;
  }): Promise<StagedRef> {
    const { uploadId, key, strategy, contentType } = input;
    this.#layout.incoming(uploadId);
    const options = { contentType, metadata: writerMetadata({ uploadId }) };
    const multipart = strategy === 'single' ? null : await this.#api.createMultipart(this.#layout.object(key), options);
    return { kind: 'direct', uploadId, key, multipart } satisfies DirectState;
  }

  async parts(ref: StagedRef): Promise<ReceivedPart[]> {
    const { uploadId, key, multipart } = parseDirectState(ref);
    if (multipart !== null) {
      const parts = await this.#api.listParts(this.#layout.object(key), multipart);
      return (parts ?? []).map(({ number, etag, size }) => ({ partNumber: number, etag, size }));
    }
    const arrived = await this.#api.head(this.#layout.incoming(uploadId));
    return arrived ? [{ partNumber: 1, etag: arrived.etag, size: arrived.size }] : [];
  }

  async finish(ref: StagedRef, key: string, parts: { partNumber: number; etag: string }[]): Promise<ObjectStat> {
    const state = parseDirectState(ref);
    if (state.key !== key)
      throw new CarcosaError('internal_error', { message: 'An upload ends under the key that it began with.' });
    if (state.multipart === null) await this.#finishSingle(state, parts[0]?.etag);
    else await this.#finishMultipart(state, state.multipart, parts);
    const made = await this.#api.head(this.#layout.object(key));
    if (!made) throw new CarcosaError('not_found');
    const { size, lastModified, etag, sha256 } = made;
    return { key, size, lastModified, etag, ...(sha256 ? { sha256 } : {}) };
  }

  async #finishSingle({ uploadId, key }: DirectState, expected: string | undefined): Promise<void> {
    const api = this.#api;
    const incoming = this.#layout.incoming(uploadId);
    const target = this.#layout.object(key);
    // Whatever has arrived once more since then is not ours to look at.
    if (!(await api.head(target))) {
      const arrived = await api.head(incoming);
      if (!arrived) throw new CarcosaError('upload_incomplete', { details: { missing: [1] } });
      if (expected !== undefined && unquote(expected) !== arrived.etag) throw new CarcosaError('checksum_mismatch');
      await this.#move(incoming, target, arrived.etag);
    }
    await api.delete(incoming);
  }

  /** Copies exactly what has that ETag, where nothing is yet. */
  async #move(incoming: string, target: string, etag: string): Promise<void> {
    const copied = await this.#copyOnce(incoming, target, etag);
    if (copied === etag) return;
    // Not every provider heeds the condition on the source: another PUT came in between.
    await this.#api.delete(target);
    throw new CarcosaError('conflict', {
      message: 'The bytes were sent once more while the upload was being completed.',
    });
  }

  /** Returns the ETag of what lies under the target afterwards. */
  async #copyOnce(incoming: string, target: string, etag: string): Promise<string> {
    try {
      return await this.#api.copy(incoming, target, { etag, replaces: 'absent' });
    } catch (error) {
      // 501: this provider does not know the condition on the target.
      if (httpStatus((error as Error).cause) === 501) return this.#api.copy(incoming, target, { etag });
      // Somebody finished at the same time, or this repeats a request whose answer was lost.
      const made = await this.#api.head(target);
      if (made) return made.etag;
      throw error;
    }
  }

  async #finishMultipart(
    { uploadId, key }: DirectState,
    id: string,
    parts: { partNumber: number; etag: string }[],
  ): Promise<void> {
    const target = this.#layout.object(key);
    const wanted = parts.map(({ partNumber, etag }) => ({ number: partNumber, etag: unquote(etag) }));
    const held = await this.#api.listParts(target, id);
    // No parts to compare with: it was completed before, or it is gone; completeOnce tells which.
    if (held) assertHeld(wanted, held);
    const size = held ? sizeOf(wanted, held) : null;
    await completeOnce(this.#api, { key: target, id, parts: wanted, uploadId, size });
  }
}

const loadSigner = () => import('@aws-sdk/s3-request-presigner');

/** `expiresIn` in seconds; `headers` are signed beside the host: the client must send them exactly so. */
function signing(expiresIn: number, ...headers: string[]) {
  return { expiresIn, signableHeaders: new Set(['host', ...headers]) };
}

/** The state of a direct upload, or `null` for a ref of another kind. */
export function asDirectState(ref: StagedRef): DirectState | null {
  return ref.kind === 'direct' ? (ref as DirectState) : null;
}

function parseDirectState(ref: StagedRef): DirectState {
  const state = asDirectState(ref);
  if (!state) throw new CarcosaError('internal_error', { message: 'This upload does not go straight to the bucket.' });
  return state;
}

function assertHeld(wanted: { number: number; etag: string }[], held: { number: number; etag: string }[]): void {
  const etags = new Map(held.map(({ number, etag }) => [number, etag]));
  const missing = wanted.filter(({ number }) => !etags.has(number)).map(({ number }) => number);
  if (wanted.length === 0 || missing.length > 0) throw new CarcosaError('upload_incomplete', { details: { missing } });
  const wrong = wanted.filter(({ number, etag }) => etags.get(number) !== etag).map(({ number }) => number);
  if (wrong.length > 0) throw new CarcosaError('checksum_mismatch', { details: { parts: wrong } });
}

function sizeOf(wanted: { number: number }[], held: { number: number; size: number }[]): number {
  const sizes = new Map(held.map(({ number, size }) => [number, size]));
  return wanted.reduce((sum, { number }) => sum + (sizes.get(number) ?? 0), 0);
}

function unquote(etag: string): string {
  return etag.replaceAll('"', '');
}
