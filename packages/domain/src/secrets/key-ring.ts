import { hkdfSync } from 'node:crypto';
import { CarcosaError } from '@carcosa/kernel';

/** Bytes of a key of XChaCha20-Poly1305. */
export const KEY_BYTES = 32;

/** The name of the key that is derived from the root secret. */
export const ROOT_KEY_ID = 'root';

/** 1 to 32 characters, so that a sealed secret says its key in few bytes. */
export const KEY_ID_FORM = /^[A-Za-z0-9._-]{1,32}$/;

export interface EncryptionKey {
  readonly id: string;
  /** 32 bytes. */
  readonly key: Uint8Array;
}

/** The keys that secrets at rest are sealed with: the newest seals, each of them opens. */
export class KeyRing {
  readonly newest: EncryptionKey;
  readonly #keys: ReadonlyMap<string, EncryptionKey>;

  /**
   * @param keys newest first; none: the key derived from the root secret seals. That one always opens too, so that keys can be
   * introduced where secrets are sealed with it already.
   */
  constructor(keys: readonly EncryptionKey[], rootSecret: string) {
    const all = [...keys, { id: ROOT_KEY_ID, key: deriveKey(rootSecret) }];
    this.newest = all[0] as EncryptionKey;
    this.#keys = new Map(all.map((each) => [each.id, each]));
  }

  /** @throws CarcosaError `configuration_invalid`, which says what to set, when there is no key of that name */
  key(id: string): Uint8Array {
    const found = this.#keys.get(id);
    if (found) return found.key;
    throw new CarcosaError('configuration_invalid', {
      message: `A stored secret is sealed with the key "${id}", which this server does not have: add it to CARCOSA_ENCRYPTION_KEYS, after the keys that are newer, or enter the secret anew.`,
    });
  }
}

/** RFC 5869, with SHA-256; the last argument keeps this key apart from whatever else comes from the root secret. */
function deriveKey(rootSecret: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', rootSecret, '', 'carcosa: secrets at rest', KEY_BYTES));
}
