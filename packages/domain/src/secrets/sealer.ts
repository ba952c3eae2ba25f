import { Buffer } from 'node:buffer';
import { CarcosaError, type Random } from '@carcosa/kernel';
import { type KeyRing, ROOT_KEY_ID } from './key-ring.ts';

/** The first byte of all that is sealed in this way. */
const VERSION = 1;
const NONCE_BYTES = 24;
const TAG_BYTES = 16;

/** What a secret belongs to. It does not open anywhere else: neither in another row nor as a secret of another kind. */
export interface SecretOwner {
  /** The kind of secret, such as `bucket`. */
  readonly kind: string;
  /** The id of the row that holds it. */
  readonly id: string;
}

/**
 * Seals secrets at rest by XChaCha20-Poly1305 (libsodium, draft-irtf-cfrg-xchacha): version 1 (1 byte), length of the key's id (1 byte),
 * the key's id (ASCII), nonce (24 bytes), ciphertext with its tag (16 bytes). All before the nonce, and the owner, are authenticated
 * with it.
 */
export class Sealer {
  readonly #ring: KeyRing;
  readonly #random: Random;

  constructor(parts: { keyRing: KeyRing; random: Random }) {
    this.#ring = parts.keyRing;
    this.#random = parts.random;
  }

  /** How everything begins that is sealed with the newest key. */
  get newestHeader(): Buffer {
    return headerOf(this.#ring.newest.id);
  }

  /** Seals with the newest key; the same text never comes to the same bytes. */
  async seal(secret: string, owner: SecretOwner): Promise<Buffer> {
    const sodium = await loadSodium();
    const { id, key } = this.#ring.newest;
    const header = headerOf(id);
    const nonce = this.#random.bytes(NONCE_BYTES);
    const context = contextOf(header, owner);
    const sealed = sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(secret, context, null, nonce, key);
    return Buffer.concat([header, nonce, sealed]);
  }

  /**
   * @throws CarcosaError `configuration_invalid` when its key is not there or is another one than it was, or the bytes are not those that
   * were sealed for this owner
   */
  async open(sealed: Uint8Array, owner: SecretOwner): Promise<string> {
    const sodium = await loadSodium();
    const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
    const keyId = keyIdOf(bytes);
    const key = this.#ring.key(keyId);
    const header = headerOf(keyId);
    const nonce = bytes.subarray(header.length, header.length + NONCE_BYTES);
    const content = bytes.subarray(header.length + NONCE_BYTES);
    try {
      const context = contextOf(header, owner);
      const opened = sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(null, content, context, nonce, key);
      return Buffer.from(opened).toString('utf8');
    } catch {
      // Without the cause: libsodium says nothing more, and what it was given must not travel.
      throw unreadable(keyId, owner);
    }
  }
}

/** The name of the key that something is sealed with. @throws CarcosaError `configuration_invalid` for other bytes */
export function keyIdOf(sealed: Uint8Array): string {
  const [version, length = 0] = sealed;
  if (version !== VERSION || sealed.length < 2 + length + NONCE_BYTES + TAG_BYTES) {
    throw new CarcosaError('configuration_invalid', {
      message:
        'A stored secret is not of a form that this version of Carcosa reads: it is damaged, or a newer one wrote it.',
    });
  }
  return Buffer.from(sealed.subarray(2, 2 + length)).toString('latin1');
}

function headerOf(keyId: string): Buffer {
  return Buffer.concat([Buffer.of(VERSION, keyId.length), Buffer.from(keyId, 'latin1')]);
}

/** Unambiguous: a kind has no NUL, and neither has an id. */
function contextOf(header: Buffer, { kind, id }: SecretOwner): Uint8Array {
  return Buffer.concat([header, Buffer.from(`\0${kind}\0${id}`)]);
}

function unreadable(keyId: string, { kind }: SecretOwner): CarcosaError {
  const source =
    keyId === ROOT_KEY_ID
      ? 'the root secret (CARCOSA_SECRET, or the file "secret" of the data directory) is another one than when it was stored: start with the former one'
      : `the key "${keyId}" of CARCOSA_ENCRYPTION_KEYS is another one than when it was stored: give it its former value`;
  return new CarcosaError('configuration_invalid', {
    message: `The stored secret of a ${kind} cannot be opened: ${source}, or enter the secret anew. If the key is right, the row was altered.`,
  });
}

/** Loaded when the first secret is touched: it costs some 70 ms and 20 MB. */
async function loadSodium() {
  const { default: sodium } = await import('libsodium-wrappers');
  await sodium.ready;
  return sodium;
}
