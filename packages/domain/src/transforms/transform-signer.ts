import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { type ImageTransform, printTransform } from '@carcosa/contracts';
import type { ProjectId } from '@carcosa/kernel';

/** Under whose key. */
export interface SigningProject {
  readonly id: ProjectId;
  readonly signingKeyVersion: number;
}

/** What a signed address of a picture says. Changing any of it breaks the signature; spelling it otherwise does not. */
export interface SignedPicture {
  /** Absent: the project's own file. */
  readonly tenantId: string | undefined;
  /** A path in the project, or the address of a picture elsewhere. */
  readonly source: string;
  readonly version: number | null;
  /** Unix seconds, as they stand in the address; absent: it does not end. */
  readonly expires: string | undefined;
  readonly transform: ImageTransform;
}

const MAX_KEYS = 1000;

/**
 * Signs addresses of transforms, as docs/transforms.md tells those who sign them themselves: HMAC-SHA-256 under a key that HKDF
 * (RFC 5869) derives from the root secret, the project and the version of its signing key.
 */
export class TransformSigner {
  readonly #secret: Uint8Array;
  readonly #keys = new Map<string, Buffer>();

  /** @param secret the root secret */
  constructor(secret: Uint8Array) {
    this.#secret = secret;
  }

  /** 32 bytes; whoever has them can open every picture of the project. */
  keyOf({ id, signingKeyVersion }: SigningProject): Buffer {
    const purpose = `carcosa/transform-addresses/${id}/${signingKeyVersion}`;
    const known = this.#keys.get(purpose);
    if (known) return known;
    if (this.#keys.size >= MAX_KEYS) this.#keys.clear();
    const key = Buffer.from(hkdfSync('sha256', this.#secret, '', purpose, 32));
    this.#keys.set(purpose, key);
    return key;
  }

  /** 43 letters and digits of base64url. */
  sign(project: SigningProject, picture: SignedPicture): string {
    const { tenantId = '', source, version, expires = '', transform } = picture;
    // One line each: none of them can hold the end of a line.
    const lines = ['transform', project.id, tenantId, source, version ?? '', expires, printTransform(transform)];
    return createHmac('sha256', this.keyOf(project)).update(lines.join('\n')).digest('base64url');
  }

  /** Takes as long for a wrong signature as for a right one. */
  verify(project: SigningProject, picture: SignedPicture, signature: string): boolean {
    const parts = [picture.tenantId ?? '', picture.source, picture.expires ?? ''];
    if (parts.some((each) => each.includes('\n'))) return false;
    const expected = Buffer.from(this.sign(project, picture));
    const given = Buffer.from(signature);
    return given.length === expected.length && timingSafeEqual(given, expected);
  }
}
