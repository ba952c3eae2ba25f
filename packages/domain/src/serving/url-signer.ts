import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import type { ProjectId } from '@carcosa/kernel';

/** What a signature is made for: a file, under the present signing key of its project. */
export interface SignedSubject {
  readonly projectId: ProjectId;
  readonly signingKeyVersion: number;
  /** In `/f/{key}`. */
  readonly key: string;
}

/** What a signed address allows. Changing any of it breaks the signature. */
export interface SignedGrant {
  /** Unix seconds, as they stand in the address. */
  readonly expires: string;
  /** The one version that it opens; null: whatever the present one is. */
  readonly version: number | null;
  /** The value of `download` in the address; null where it is absent. */
  readonly download: string | null;
}

const MAX_KEYS = 1000;

/**
 * Signs addresses of files: HMAC-SHA-256 under a key that HKDF (RFC 5869) derives from the root secret, the project and the
 * version of the project's signing key, so that raising the version ends all addresses that were signed before.
 */
export class UrlSigner {
  readonly #secret: Uint8Array;
  readonly #keys = new Map<string, Buffer>();

  /** @param secret the root secret */
  constructor(secret: Uint8Array) {
    this.#secret = secret;
  }

  /** 43 letters and digits of base64url. */
  sign(subject: SignedSubject, grant: SignedGrant): string {
    const { expires, version, download } = grant;
    // One line each; only the last may hold anything, so that no two grants make the same text.
    const text = `GET\n${subject.key}\n${expires}\n${version ?? ''}\n${download === null ? '' : `=${download}`}`;
    return createHmac('sha256', this.#keyOf(subject)).update(text).digest('base64url');
  }

  /** Whether `signature` is ours for just this; takes as long for a wrong one as for a right one. */
  verify(subject: SignedSubject, grant: SignedGrant, signature: string): boolean {
    const expected = Buffer.from(this.sign(subject, grant));
    const given = Buffer.from(signature);
    return given.length === expected.length && timingSafeEqual(given, expected);
  }

  #keyOf({ projectId, signingKeyVersion }: SignedSubject): Buffer {
    const purpose = `carcosa/file-addresses/${projectId}/${signingKeyVersion}`;
    const known = this.#keys.get(purpose);
    if (known) return known;
    if (this.#keys.size >= MAX_KEYS) this.#keys.clear();
    const key = Buffer.from(hkdfSync('sha256', this.#secret, '', purpose, 32));
    this.#keys.set(purpose, key);
    return key;
  }
}
