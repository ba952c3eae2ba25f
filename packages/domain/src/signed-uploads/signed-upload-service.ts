import type { Readable } from 'node:stream';
import type { File } from '@carcosa/contracts';
import {
  beginSignedUpload,
  findCallbackOf,
  findKeyOwner,
  findSignedUpload,
  isUniqueViolation,
  listProjectBuckets,
  type Queryable,
  type SignedUploadRow,
  type UploadRow,
} from '@carcosa/database';
import {
  type BucketId,
  CarcosaError,
  type Clock,
  isCarcosaError,
  type ProjectId,
  type UploadId,
} from '@carcosa/kernel';
import type { ApiKeyActor, Origin } from '../access/actor.ts';
import type { SigningKeys } from '../api-keys/signing-keys.ts';
import type { FileService } from '../files/file-service.ts';
import { isOfType } from '../uploads/upload-rules.ts';
import type { UploadService } from '../uploads/upload-service.ts';
import type { SignedUploadAnnouncements } from './announcements.ts';
import { type FileAddresses, isRegistered, type Settlement } from './settlement.ts';
import { rulesOf, type SignedAddress } from './signed-address.ts';

/** Milliseconds that an app which promised to say more of an upload has for its first word of it. */
const REGISTRATION_MS = 5_000;
/** Milliseconds that the answer to an upload waits for what the app makes of it. */
const SERVER_DATA_MS = 55_000;
/** Milliseconds between looks, in case an announcement was lost. */
const LOOK_MS = 2_000;
const ATTEMPTS = 3;

/** What is wrong with the content for good: the app is told, and the address is good for another try. */
const FINAL = ['file_too_large', 'file_type_not_allowed', 'file_measures_not_allowed', 'checksum_mismatch'] as const;

export interface SignedUploadServiceParts {
  db: Queryable;
  clock: Clock;
  signingKeys: SigningKeys;
  uploads: UploadService;
  files: FileService;
  settlement: Settlement;
  announcements: SignedUploadAnnouncements;
}

/** An address whose signature holds, and whose key that was. */
export interface OpenedAddress {
  address: SignedAddress;
  actor: ApiKeyActor & { readonly origin?: Origin };
}

export interface SignedBody {
  /** Where the body begins in the content, bytes. */
  start: number;
  body: Readable;
  /** Of the part, as its sender said; undefined where it did not. */
  contentType: string | undefined;
}

/** What the uploader is answered. */
export interface SignedUploadResult extends FileAddresses {
  key: string;
  /** MD5 in hex. */
  fileHash: string;
  /** What the app's callback returned; null where nobody waits for it. */
  serverData: unknown;
}

/**
 * Uploads by addresses that apps sign themselves: sessions of the one engine, found again by the key that the app chose. An address is
 * good for one file: another signature of the same key begins anew, and what is whole then replaces the bytes of before.
 */
export class SignedUploadService {
  readonly #parts: SignedUploadServiceParts;

  constructor(parts: SignedUploadServiceParts) {
    this.#parts = parts;
  }

  /**
   * @param origins the addresses under which clients may know us, each without what the request says
   * @throws CarcosaError `signature_invalid` for what was altered, signed by nobody, or has expired
   */
  async open(address: SignedAddress, origins: readonly string[], origin: Origin): Promise<OpenedAddress> {
    const texts = origins.map((each) => each + address.signed);
    const actor = await this.#parts.signingKeys.verify(address.projectId, texts, address.signature);
    if (!actor) throw new CarcosaError('signature_invalid');
    if (address.expires <= this.#parts.clock.now())
      throw new CarcosaError('signature_invalid', { message: 'This address has expired; ask the app for a new one.' });
    return { address, actor: { ...actor, origin } };
  }

  /** How many bytes of it are stored. */
  async offset({ address, actor }: OpenedAddress): Promise<number> {
    const row = await findSignedUpload(this.#parts.db, address);
    if (!row || row.signature !== address.signature || row.uploadId === null) return 0;
    const upload = await this.#parts.uploads.findSettled(actor, row.uploadId);
    return upload.status === 'open' || upload.status === 'completed' ? upload.offset : 0;
  }

  /**
   * Takes the rest of the content from `start` on, which must be all of it; what arrives before a failure is kept.
   * @throws CarcosaError `upload_offset_mismatch`, `file_type_not_allowed`, `upload_not_open` for an address that was used, `conflict`
   * for a key or custom id that something else has, `callback_failed`; and those of {@link UploadService.write}
   */
  async write(opened: OpenedAddress, input: SignedBody): Promise<SignedUploadResult> {
    assertDeclared(opened.address, input.contentType);
    const { upload, file } = await this.#store(opened, input);
    const { projectId, key } = opened.address;
    await this.#parts.settlement.uploaded({ projectId, key, uploadId: upload.id }, file);
    const fileHash = await this.#parts.settlement.md5Of(file);
    const serverData = await this.#serverData(opened, upload.id);
    return { key: file.key, ...this.#parts.settlement.addressesOf(projectId, file.key), fileHash, serverData };
  }

  async #store(
    { address, actor }: OpenedAddress,
    { start, body }: SignedBody,
  ): Promise<{ upload: UploadRow; file: File }> {
    const { uploads, settlement } = this.#parts;
    const { projectId, key, size } = address;
    const id = await this.#uploadFor({ address, actor }, start);
    try {
      const written = await uploads.write(actor, id, {
        ...{ body, offset: start, length: size - start, wantsMd5: true },
      });
      if (!written.file) throw new CarcosaError('upload_not_open');
      return { upload: written.upload, file: written.file };
    } catch (error) {
      const isFinal = FINAL.some((code) => isCarcosaError(error, code));
      if (isFinal) await settlement.failed({ projectId, key, uploadId: id }, (error as CarcosaError).message);
      throw error;
    }
  }

  /** The upload that a body from `start` on belongs to: the one under way, or a new one for a first byte. */
  async #uploadFor(opened: OpenedAddress, start: number): Promise<UploadId> {
    const { address, actor } = opened;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const row = await findSignedUpload(this.#parts.db, address);
      const former = row?.uploadId ? await this.#find(actor, row.uploadId) : null;
      const isSame = row?.signature === address.signature;
      if (isSame && former?.status === 'completed' && start < address.size) {
        throw new CarcosaError('upload_not_open', {
          message: 'This address was used already: it is good for one file. Ask the app for a new one.',
        });
      }
      const goesOn = isSame && former && (former.status === 'completed' || former.status === 'open');
      if (goesOn && (start > 0 || former.offset === 0)) return former.id;
      if (start > 0) throw new CarcosaError('upload_offset_mismatch', { details: { offset: 0 } });
      const begun = await this.#begin(opened, row);
      if (begun === null) continue;
      if (former?.status === 'open') await this.#giveUp(actor, former.id);
      return begun;
    }
    throw new CarcosaError('upload_locked');
  }

  /** @returns null when somebody else was faster */
  async #begin({ address, actor }: OpenedAddress, row: SignedUploadRow | null): Promise<UploadId | null> {
    const { db, uploads, clock } = this.#parts;
    const { projectId, key, size, name, type, slug, customId, lastModified, signature, visibility, route } = address;
    const upload = await uploads.create(actor, {
      ...{ door: 'signed', projectId, size, visibility, fileKey: key, accepts: rulesOf(address) },
      contentType: type.includes('/') ? type : undefined,
      path: await this.#pathFor({ address, actor }),
      bucketId: await this.#bucketFor(projectId, route.bucketId),
    });
    const next = { projectId, key, customId, lastModified, slug, signature, name, size, type };
    try {
      const wanted = { ...next, apiKeyId: actor.id, uploadId: upload.id };
      const begun = await beginSignedUpload(db, wanted, row?.uploadId ?? null, new Date(clock.now()));
      if (begun) return upload.id;
    } catch (error) {
      await this.#giveUp(actor, upload.id);
      if (!isUniqueViolation(error)) throw error;
      throw new CarcosaError('conflict', { message: `Another file has the custom id "${customId}".`, cause: error });
    }
    await this.#giveUp(actor, upload.id);
    return null;
  }

  /** @throws CarcosaError `not_found` for a bucket that is none of the project's, or that it may only read */
  async #bucketFor(projectId: ProjectId, wanted: string | undefined): Promise<BucketId | undefined> {
    if (wanted === undefined) return undefined;
    const found = (await listProjectBuckets(this.#parts.db, projectId)).find(({ bucketId }) => bucketId === wanted);
    const mayWrite = found && (found.default || found.fromEnvironment || found.access !== 'read-only');
    if (found && mayWrite) return found.bucketId as BucketId;
    throw new CarcosaError('not_found', { message: 'The project has no such bucket that it may write to.' });
  }

  /**
   * Where the file lies: where the one with that key lies already, so that its bytes are replaced.
   * @throws CarcosaError `conflict` for a key of somebody else's file
   */
  async #pathFor({ address, actor }: OpenedAddress): Promise<string> {
    const { projectId, key, route } = address;
    const prefix = actor.restrictions.pathPrefix ? `${actor.restrictions.pathPrefix}/` : '';
    const own = `${prefix}${key}/${fileNameOf(address.name)}`;
    const owner = await findKeyOwner(this.#parts.db, key);
    if (!owner) return route.path ?? own;
    const tenantId = actor.restrictions.tenantId ?? '';
    if (owner.projectId !== projectId || owner.tenantId !== tenantId)
      throw new CarcosaError('conflict', { message: 'Another file has this key; let the app choose another one.' });
    if (owner.isLive) return owner.path;
    const restored = await this.#parts.files.restore(actor, { id: owner.id }).catch((error: unknown) => {
      if (!isCarcosaError(error, 'path_taken')) throw error;
      return this.#parts.files.restore(actor, { id: owner.id }, { path: own });
    });
    return restored.path;
  }

  async #find(actor: OpenedAddress['actor'], id: UploadId): Promise<UploadRow | null> {
    try {
      return await this.#parts.uploads.find(actor, id);
    } catch (error) {
      if (isCarcosaError(error, 'not_found')) return null;
      throw error;
    }
  }

  async #giveUp(actor: OpenedAddress['actor'], id: UploadId): Promise<void> {
    try {
      await this.#parts.uploads.abort(actor, id);
    } catch (error) {
      // It ended by itself, or its writer goes on and meets a key that has another upload.
      if (!isCarcosaError(error, 'upload_not_open') && !isCarcosaError(error, 'upload_locked')) throw error;
    }
  }

  /** What the app's callback returned, where the app lets its uploader wait for that. @throws CarcosaError `callback_failed` */
  async #serverData({ address }: OpenedAddress, uploadId: UploadId): Promise<unknown> {
    const { db, announcements } = this.#parts;
    if (address.slug === null) return null;
    const listening = announcements.listen(address.projectId, [address.key]);
    const begun = performance.now();
    try {
      for (;;) {
        const row = await findSignedUpload(db, address);
        const waited = performance.now() - begun;
        if (row?.uploadId !== uploadId) return null;
        const registered = isRegistered(row);
        if (registered ? !row.awaitServerData : waited > REGISTRATION_MS) return null;
        const callback = await findCallbackOf(db, uploadId, 'callback');
        if (callback?.answeredAt) {
          if (callback.resultError === null) return callback.result;
          throw callbackFailed(callback.resultError);
        }
        if (callback?.lastError) throw callbackFailed(callback.lastError);
        if (announcements.isClosed) throw new CarcosaError('shutting_down');
        if (waited > SERVER_DATA_MS) throw callbackFailed('it did not say in time what it made of the file');
        await listening.next(LOOK_MS);
      }
    } finally {
      listening.end();
    }
  }
}

/** @throws CarcosaError `file_type_not_allowed` where the sender says another type than was signed */
function assertDeclared({ type }: SignedAddress, declared: string | undefined): void {
  const said = declared?.toLowerCase().split(';', 1)[0]?.trim() ?? '';
  // What a browser or a slice of a file says without knowing.
  if (said === '' || said === 'application/octet-stream' || !type.includes('/')) return;
  if (isOfType(type, said)) return;
  throw new CarcosaError('file_type_not_allowed', {
    message: `The address was signed for ${type}, and the body says that it is ${said}.`,
    details: { allowedTypes: [type], contentType: said },
  });
}

/** The name as the last part of a path: without what a path cannot have, and not too long. */
export function fileNameOf(name: string): string {
  const last = name.replace(/\\/g, '/').split('/').filter(Boolean).at(-1) ?? '';
  const clean = last
    .replace(/[\p{Cc}\p{Cf}]/gu, '')
    .toWellFormed()
    .trim();
  if (clean === '' || clean === '.' || clean === '..') return 'file';
  return shortened(clean, 200);
}

/** Keeps the ending, which says what a file is. */
function shortened(name: string, length: number): string {
  if (name.length <= length) return name;
  const ending = /\.[A-Za-z0-9]{1,10}$/.exec(name)?.[0] ?? '';
  return `${name.slice(0, length - ending.length)}${ending}`.toWellFormed();
}

const callbackFailed = (reason: string): CarcosaError =>
  new CarcosaError('callback_failed', {
    message: `The file is stored, but the app did not take the word of it: ${reason}.`,
    details: { reason },
  });
