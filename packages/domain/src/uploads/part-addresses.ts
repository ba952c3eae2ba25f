import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { CarcosaError, type Clock } from '@carcosa/kernel';

const ADDRESS_QUERY = /^expires=(\d{1,12})&signature=([A-Za-z0-9_-]{43})$/;

export interface PartAddressesOptions {
  /** The root secret; the key is derived from it for this purpose alone. */
  secret: Uint8Array;
  clock: Clock;
  /** Without a "/" at its end. */
  publicUrl: string;
}

/** Our own presigned addresses for the parts of direct uploads to buckets that cannot presign. */
export class PartAddresses {
  readonly #key: Buffer;
  readonly #clock: Clock;
  readonly #publicUrl: string;

  constructor(options: PartAddressesOptions) {
    this.#key = Buffer.from(hkdfSync('sha256', options.secret, '', 'carcosa/part-addresses', 32));
    this.#clock = options.clock;
    this.#publicUrl = options.publicUrl;
  }

  /** @param expiresIn seconds */
  sign(uploadId: string, partNumber: number, expiresIn: number): string {
    const expires = Math.floor(this.#clock.now() / 1000) + expiresIn;
    const signature = this.#signature(uploadId, partNumber, expires);
    return `${this.#publicUrl}/api/v1/uploads/${uploadId}/parts/${partNumber}?expires=${expires}&signature=${signature}`;
  }

  /** @param query as it came, without "?". @throws CarcosaError `signature_invalid` unless we signed just this and it has not expired */
  verify(uploadId: string, partNumber: number, query: string): void {
    // Just our two parameters, each once: nothing may be added to what was signed.
    const [, expiresText, signatureText] = ADDRESS_QUERY.exec(query) ?? [];
    const expires = Number(expiresText);
    // As text: the last letter of base64 has bits to spare, so other spellings would mean the same bytes.
    const given = Buffer.from(signatureText ?? '');
    const expected = Buffer.from(this.#signature(uploadId, partNumber, expires));
    const authentic = given.length === expected.length && timingSafeEqual(given, expected);
    if (!authentic || expires * 1000 <= this.#clock.now()) throw new CarcosaError('signature_invalid');
  }

  #signature(uploadId: string, partNumber: number, expires: number): string {
    return createHmac('sha256', this.#key).update(`PUT\n${uploadId}\n${partNumber}\n${expires}`).digest('base64url');
  }
}
