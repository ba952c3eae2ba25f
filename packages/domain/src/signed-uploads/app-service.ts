import { announceSignedUploads, type Queryable, registerSignedUploads } from '@carcosa/database';
import { CarcosaError, type Clock, type ProjectId, type Random, randomToken } from '@carcosa/kernel';
import type { Access } from '../access/access.ts';
import type { Actor, ApiKeyActor } from '../access/actor.ts';
import type { SigningKeys } from '../api-keys/signing-keys.ts';
import type { CallbackService, StreamPart } from '../callbacks/callback-service.ts';
import type { Listening, SignedUploadAnnouncements } from './announcements.ts';
import type { Settlement } from './settlement.ts';

/** Characters of a key that we choose for an app. */
const KEY_LENGTH = 48;
/** Milliseconds after which a stream says that it is still there: clients give silent ones up after minutes. */
const PULSE_MS = 15_000;
/** Milliseconds for which a stream stays open: an address is good for an hour, and what was begun may go on for a while. */
const STREAM_MS = 2 * 3600 * 1000;
/** Milliseconds between looks, in case an announcement was lost. */
const LOOK_MS = 2_000;

export interface AppServiceParts {
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  clock: Clock;
  random: Random;
  access: Access;
  signingKeys: SigningKeys;
  callbacks: CallbackService;
  settlement: Settlement;
  announcements: SignedUploadAnnouncements;
  /** Without a "/" at its end. */
  publicUrl: string;
}

export interface RegisterInput {
  fileKeys: readonly string[];
  metadata: Record<string, unknown>;
  /** Whole, with its slug. */
  callbackUrl: string;
  isDev: boolean;
  awaitServerData: boolean;
}

export interface PrepareInput {
  fileName: string;
  /** Bytes. */
  fileSize: number;
  slug?: string | undefined;
  fileType?: string | undefined;
  customId?: string | undefined;
  contentDisposition?: string | undefined;
  acl?: string | undefined;
  /** Seconds. */
  expiresIn: number;
}

/** What the back ends of apps ask and tell about uploads by addresses that they sign. For keys that sign alone. */
export class AppService {
  readonly #parts: AppServiceParts;

  constructor(parts: AppServiceParts) {
    this.#parts = parts;
  }

  /** Keeps what an app wants to hear of keys that it gave out; of what is there already it is told at once. */
  async register(actor: Actor, input: RegisterInput): Promise<void> {
    const { transaction, clock, callbacks, settlement } = this.#parts;
    const { id: apiKeyId, projectId } = await this.#signer(actor);
    const { fileKeys: keys, ...rest } = input;
    const made = await transaction(async (tx) => {
      const rows = await registerSignedUploads(tx, { ...rest, projectId, apiKeyId, keys }, new Date(clock.now()));
      const told = await settlement.tellNow(tx, rows);
      if (told.length > 0) await announceSignedUploads(tx, projectId, keys);
      return told;
    });
    for (const id of made) callbacks.begin(id);
  }

  /**
   * Registers, and gives out what is to be told as it happens, until all of the keys were told of; null says that nothing happened for a
   * while. Resolves when it is registered.
   */
  async stream(
    actor: Actor,
    input: RegisterInput,
    signal: AbortSignal,
  ): Promise<AsyncGenerator<StreamPart | null, void, undefined>> {
    const { projectId } = await this.#signer(actor);
    const listening = this.#parts.announcements.listen(projectId, input.fileKeys);
    try {
      await this.register(actor, input);
    } catch (error) {
      listening.end();
      throw error;
    }
    signal.addEventListener('abort', () => listening.end(), { once: true });
    return this.#happenings(projectId, input.fileKeys, listening, signal);
  }

  async *#happenings(
    projectId: ProjectId,
    keys: readonly string[],
    listening: Listening,
    signal: AbortSignal,
  ): AsyncGenerator<StreamPart | null, void, undefined> {
    // At once, so that the answer begins.
    yield null;
    const waiting = new Set(keys);
    const { announcements, callbacks } = this.#parts;
    const end = performance.now() + STREAM_MS;
    let pulse = performance.now();
    try {
      while (waiting.size > 0 && !signal.aborted && !announcements.isClosed && performance.now() < end) {
        for (const { fileKey, ...part } of await callbacks.takeForStream(projectId, [...waiting])) {
          waiting.delete(fileKey);
          pulse = performance.now();
          yield part;
        }
        if (waiting.size === 0) return;
        if (performance.now() - pulse >= PULSE_MS) {
          pulse = performance.now();
          yield null;
        }
        await listening.next(LOOK_MS);
      }
    } finally {
      listening.end();
    }
  }

  /** What the app's callback made of an upload. @throws CarcosaError `not_found` for a key that it was not told of */
  async answer(actor: Actor, fileKey: string, answer: { result: unknown; error: string | null }): Promise<void> {
    const { projectId } = await this.#signer(actor);
    await this.#parts.callbacks.answer(projectId, fileKey, answer);
  }

  /** Signs an address, for apps in languages that have no SDK. */
  async prepare(actor: Actor, input: PrepareInput): Promise<{ key: string; url: string }> {
    const { random, clock, publicUrl, signingKeys } = this.#parts;
    const { id, projectId } = await this.#signer(actor);
    const key = randomToken(random, KEY_LENGTH);
    const query = new URLSearchParams({
      expires: String(clock.now() + input.expiresIn * 1000),
      'x-ut-identifier': projectId,
      'x-ut-file-name': encodeURIComponent(input.fileName),
      'x-ut-file-size': String(input.fileSize),
    });
    const { fileType, slug, customId, contentDisposition, acl } = input;
    const rest = {
      'x-ut-file-type': fileType,
      'x-ut-slug': slug,
      'x-ut-custom-id': customId,
      'x-ut-content-disposition': contentDisposition,
      'x-ut-acl': acl,
    };
    for (const [name, value] of Object.entries(rest)) {
      if (value !== undefined) query.append(name, encodeURIComponent(value));
    }
    const address = `${publicUrl}/uploadthing/ingest/${key}?${query}`;
    const signature = await signingKeys.sign(projectId, id, address);
    return { key, url: `${address}&signature=${encodeURIComponent(signature)}` };
  }

  async #signer(actor: Actor): Promise<ApiKeyActor> {
    if (actor.type !== 'api-key') {
      throw new CarcosaError('forbidden', { message: 'This is for the API key of an app.' });
    }
    await this.#parts.access.authorize(actor, 'files:write', actor.projectId);
    await this.#parts.signingKeys.assertSigns(actor.projectId, actor.id);
    return actor;
  }
}
