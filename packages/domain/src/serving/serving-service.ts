import { pathProblem } from '@carcosa/contracts';
import {
  findFileKey,
  findKeyAt,
  findMadeTogether,
  findServedFile,
  type NewAuditEntry,
  type Queryable,
  recordAudit,
} from '@carcosa/database';
import {
  CarcosaError,
  type Clock,
  type Histogram,
  isCarcosaError,
  isId,
  type Lookups,
  toIsoString,
} from '@carcosa/kernel';
import type { Access } from '../access/access.ts';
import type { Actor } from '../access/actor.ts';
import { assertCovers, covers, type Grant } from '../access/grant.ts';
import { auditEntry } from '../audit/audit-entry.ts';
import { GroupCommit } from '../uploads/group-commit.ts';
import { type ServedFile, ServedFileCache } from './served-file-cache.ts';
import { UrlSigner } from './url-signer.ts';

export interface ServingServiceOptions {
  readonly access: Access;
  db: Queryable;
  clock: Clock;
  /** The root secret. */
  secret: Uint8Array;
  /** Without a "/" at its end. */
  publicUrl: string;
}

/** What an address of a file says, each part as it stands there. */
export interface FileAddress {
  readonly key: string;
  readonly version: number | null;
  /** Value of `download`; null where it is absent. */
  readonly download: string | null;
  readonly expires: string | undefined;
  readonly signature: string | undefined;
}

/** What an address by path says, each part as it stands there. */
export interface PathAddress {
  readonly projectId: string;
  /** Absent: the project's own files, or those of the tenant that the actor is confined to. */
  readonly tenantId: string | undefined;
  readonly path: string;
  readonly version: number | null;
  readonly expires: string | undefined;
  readonly signature: string | undefined;
  /** Whoever may read all of the project has signed for this path: nothing else is asked. */
  readonly vouched?: boolean;
}

/** What a signed address is wanted for. */
export interface SignInput {
  /** Seconds, from 1 to 604,800. */
  readonly expiresIn: number;
  /** Whether it is to be saved instead of shown. */
  readonly download: boolean;
  /** Absent: whatever version is the present one. */
  readonly version?: number | undefined;
}

/** A file that may be served. */
export interface OpenedFile {
  readonly file: ServedFile;
  /** Whole seconds until the address ends; null for one that does not. */
  readonly expiresIn: number | null;
}

/** Ours are letters and digits; apps choose others too. */
const KEY = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
/** A key with a version, as transforms write them into texts that refer to their neighbours. */
const REFERENCE = /(?<=^|["\s])([A-Za-z0-9]{1,64})\?v=([1-9]\d{0,9})(?=["#\s]|$)/gm;
/** Most signed addresses that are recorded together. */
const MAX_GROUP = 64;
/** Most paths that are remembered. */
const MAX_KEYS = 4096;
/** Largest version, as PostgreSQL's integer. */
const MAX_VERSION = 2 ** 31 - 1;

/** Decides what may be served, and to whom. */
export class ServingService {
  readonly #options: ServingServiceOptions;
  readonly #cache: ServedFileCache;
  /** Keys of files by where they lay when they were last asked for. */
  readonly #keys = new Map<string, string>();
  readonly #signer: UrlSigner;
  readonly #records: GroupCommit<NewAuditEntry, void>;

  constructor(options: ServingServiceOptions) {
    this.#options = options;
    this.#cache = new ServedFileCache({
      clock: options.clock,
      load: (key, version) => findServedFile(options.db, key, version),
    });
    this.#signer = new UrlSigner(options.secret);
    this.#records = new GroupCommit({
      maxItems: MAX_GROUP,
      run: async (entries) => {
        await recordAudit(options.db, entries);
        return entries.map(() => undefined);
      },
    });
  }

  /** How many records of signed addresses shared each transaction. */
  get groupSizes(): Histogram {
    return this.#records.sizes;
  }

  /** How often a file was remembered. */
  get lookups(): Readonly<Lookups> {
    return this.#cache.lookups;
  }

  /**
   * What an address leads to: at once when the file is remembered, else after one look-up by its unique index.
   * @throws CarcosaError (or rejects with it) `not_found`, or `signature_invalid` for a private file whose address is not signed,
   * was changed after it was signed, or has expired
   */
  open(address: FileAddress): OpenedFile | Promise<OpenedFile> {
    if (!KEY.test(address.key) || (address.version ?? 1) > MAX_VERSION) throw new CarcosaError('not_found');
    const found = this.#cache.get(address.key, address.version);
    return found instanceof Promise ? found.then((file) => this.#admit(file, address)) : this.#admit(found, address);
  }

  /** The present content of a file, whoever may read it; null where there is none. */
  async current(key: string): Promise<ServedFile | null> {
    return await this.#cache.get(key, null);
  }

  /** What is remembered of a file, for those who hold what was found before against it; null where nothing is. */
  remembered(key: string, version: number | null): ServedFile | null {
    return this.#cache.peek(key, version);
  }

  /**
   * What an address leads to whose signature is not ours: `admits` looks at it for a private file.
   * @param admits milliseconds since the epoch when the address ends; null where it is not signed as it must be
   * @throws CarcosaError `not_found`, `signature_invalid`
   */
  async openWith(
    key: string,
    admits: (file: ServedFile) => Promise<number | null>,
    version: number | null = null,
  ): Promise<OpenedFile> {
    if (!KEY.test(key) || (version ?? 1) > MAX_VERSION) throw new CarcosaError('not_found');
    const file = await this.#cache.get(key, version);
    if (!file) throw new CarcosaError('not_found');
    if (file.visibility === 'public') return servable(file, null);
    const left = ((await admits(file)) ?? 0) - this.#options.clock.now();
    if (left <= 0) throw new CarcosaError('signature_invalid');
    return servable(file, Math.floor(left / 1000));
  }

  /** The file with that id, for who may read it in its project. @throws CarcosaError `not_found`, `forbidden` */
  async openAs(actor: Actor, id: string, version: number | null): Promise<OpenedFile> {
    return servable((await this.#find(actor, id, version)).file, null);
  }

  /**
   * The file at a path, for whoever may read it: everybody where it is public; otherwise who has its signed address, or may read
   * files or transform them in its project. Whoever may not learns nothing of what is there.
   * @throws CarcosaError `not_found`, `forbidden`, `signature_invalid`
   */
  async openAt(actor: Actor | null, place: PathAddress): Promise<OpenedFile> {
    const { version, expires, signature, vouched = false } = place;
    const grant = await this.#readingGrant(vouched ? null : actor, place.projectId);
    const refusal = signature === undefined ? grant.refusal : new CarcosaError('signature_invalid');
    const file = await this.#at(place, place.tenantId ?? grant.grant?.tenantId ?? '');
    if (!file) throw refusal;
    if (signature !== undefined)
      return this.#admit(file, { key: file.key, version, download: null, expires, signature });
    const mayRead = vouched || (grant.grant !== null && covers(grant.grant, file));
    if (!mayRead && file.visibility !== 'public') throw refusal;
    return servable(file, null);
  }

  /** Signs the address of a file, once it is recorded that it does. @throws CarcosaError `not_found`, `forbidden` */
  async sign(actor: Actor, id: string, input: SignInput): Promise<{ url: string; expiresAt: string }> {
    const version = input.version ?? null;
    const { file, tenantId } = await this.#find(actor, id, version);
    const seconds = Math.ceil(this.#options.clock.now() / 1000) + input.expiresIn;
    const grant = { expires: String(seconds), version, download: input.download ? '1' : null };
    const signature = this.#signer.sign(file, grant);
    const flags = `${version === null ? '' : `&v=${version}`}${grant.download === null ? '' : '&download=1'}`;
    const url = `${this.#options.publicUrl}/f/${file.key}?expires=${seconds}&signature=${signature}${flags}`;
    const expiresAt = toIsoString(seconds * 1000);
    const place = { projectId: file.projectId, tenantId };
    const after = { expiresAt, version, download: input.download };
    const event = { action: 'file.sign-url', resource: { type: 'file', id }, place, after } as const;
    await this.#records.submit(auditEntry(actor, event, this.#options.clock));
    return { url, expiresAt };
  }

  /**
   * A playlist, or its like, that was reached by a signed address: the addresses in it of what was made together with it are signed too, for as
   * long. Other addresses stay as they are, whatever they name.
   */
  async signReferences({ file, expiresIn }: OpenedFile, text: string): Promise<string> {
    const { db, clock } = this.#options;
    const keys = [...new Set([...text.matchAll(REFERENCE)].map(([, key = '']) => key))];
    const signable = await findMadeTogether(db, { key: file.key, version: file.version, keys });
    // Up, as what is left was rounded down.
    const expires = String(Math.ceil(clock.now() / 1000) + (expiresIn ?? 0));
    const { projectId, signingKeyVersion } = file;
    return text.replace(REFERENCE, (reference: string, key: string, version: string) => {
      if (!signable.has(key)) return reference;
      const grant = { expires, version: Number(version), download: null };
      const signature = this.#signer.sign({ projectId, signingKeyVersion, key }, grant);
      return `${reference}&expires=${expires}&signature=${signature}`;
    });
  }

  /** To be called with the keys of files that were changed; without, when it is unknown which. */
  filesChanged(keys?: readonly string[]): void {
    this.#cache.forget(keys);
  }

  /** To be called with a project whose settings or signing key were changed; without, when it is unknown which. */
  projectChanged(projectId?: string): void {
    if (projectId === undefined) this.#cache.forget();
    else this.#cache.forgetProject(projectId);
  }

  #admit(file: ServedFile | null, address: FileAddress): OpenedFile {
    if (!file) throw new CarcosaError('not_found');
    if (file.visibility === 'public') return servable(file, null);
    const { version, download, expires, signature } = address;
    if (expires === undefined || signature === undefined) throw new CarcosaError('signature_invalid');
    const authentic = this.#signer.verify(file, { expires, version, download }, signature);
    const left = Number(expires) * 1000 - this.#options.clock.now();
    if (!authentic || left <= 0) throw new CarcosaError('signature_invalid');
    return servable(file, Math.floor(left / 1000));
  }

  /** What an actor may read in a project, and what to say where that is not enough. */
  async #readingGrant(actor: Actor | null, projectId: string): Promise<{ grant: Grant | null; refusal: CarcosaError }> {
    const none = { grant: null, refusal: new CarcosaError('not_found') };
    if (!actor || !isId('project', projectId)) return none;
    for (const permission of ['files:read', 'transforms:execute'] as const) {
      try {
        const grant = await this.#options.access.authorize(actor, permission, projectId);
        return { grant, refusal: new CarcosaError('not_found') };
      } catch (error) {
        if (!isCarcosaError(error, 'forbidden')) {
          if (isCarcosaError(error, 'not_found')) return none;
          throw error;
        }
        none.refusal = error;
      }
    }
    return none;
  }

  /** What was found at a path before is looked at again: it may have gone elsewhere. */
  async #at({ projectId, path, version }: PathAddress, tenantId: string): Promise<ServedFile | null> {
    if (!isId('project', projectId) || pathProblem(path) !== null || (version ?? 1) > MAX_VERSION) return null;
    const place = `${projectId}/${tenantId}/${path}`;
    const isThere = (file: ServedFile | null): file is ServedFile =>
      file?.path === path && file.projectId === projectId && file.tenantId === tenantId;
    const known = this.#keys.get(place);
    const remembered = known === undefined ? null : await this.#cache.get(known, version);
    if (isThere(remembered)) return remembered;
    this.#keys.delete(place);
    const key = await findKeyAt(this.#options.db, { projectId, tenantId, path });
    const file = key === null ? null : await this.#cache.get(key, version);
    if (key === null || !isThere(file)) return null;
    if (this.#keys.size >= MAX_KEYS) this.#keys.clear();
    this.#keys.set(place, key);
    return file;
  }

  async #find(actor: Actor, id: string, version: number | null): Promise<{ file: ServedFile; tenantId: string }> {
    const known = isId('file', id) ? await findFileKey(this.#options.db, id) : null;
    if (!known || (version ?? 1) > MAX_VERSION) throw new CarcosaError('not_found');
    assertCovers(await this.#options.access.authorize(actor, 'files:read', known.projectId), known);
    const file = await this.#cache.get(known.key, version);
    if (!file) throw new CarcosaError('not_found');
    return { file, tenantId: known.tenantId };
  }
}

/** @throws CarcosaError `file_quarantined`: whoever may read it is told why */
function servable(file: ServedFile, expiresIn: number | null): OpenedFile {
  if (file.quarantine === null) return { file, expiresIn };
  const details = { state: file.quarantine, reason: file.quarantineReason };
  if (file.quarantine === 'pending') throw new CarcosaError('file_quarantined', { details });
  const message = `This content is not served: ${file.quarantineReason ?? file.quarantine}.`;
  throw new CarcosaError('file_quarantined', { message, details, retryable: false });
}
