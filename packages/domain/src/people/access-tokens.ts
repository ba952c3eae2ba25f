import { hkdfSync } from 'node:crypto';
import { CarcosaError, type Clock, isId, type SessionId, type UserId } from '@carcosa/kernel';
import type { JWTVerifyResult } from 'jose';

/** Seconds that an access token serves. */
export const ACCESS_TOKEN_SECONDS = 3600;

const ISSUER = 'carcosa';
const AUDIENCE = 'carcosa:api';
/** RFC 9068: an access token says that it is one, so that no other signed text of ours can stand in for it. */
const TYPE = 'at+jwt';
const ALGORITHM = 'HS256';
/** A token of ours has some 350 letters; a longer one is none. */
const MAX_LENGTH = 1024;
/** Most tokens that are remembered as verified. */
const CACHE_SIZE = 5000;

// Loaded with the first token: a server whose callers are programs starts without it.
const jose = () => import('jose');

/** Whom an access token names. Whether the session still lasts is for {@link SessionCache} to say. */
export interface AccessClaims {
  readonly userId: UserId;
  readonly sessionId: SessionId;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/**
 * Signs and verifies access tokens: JWTs (RFC 7519) under HMAC-SHA-256 with a key that HKDF derives from the root secret for this
 * purpose alone. A token that was verified is remembered, so that a caller who comes again pays for no cryptography.
 */
export class AccessTokens {
  readonly #key: Uint8Array;
  readonly #clock: Clock;
  // In the order of use: the first is the one that was not asked for longest.
  readonly #verified = new Map<string, AccessClaims>();

  /** @param parts `secret`: the root secret */
  constructor(parts: { secret: Uint8Array; clock: Clock }) {
    this.#key = new Uint8Array(hkdfSync('sha256', parts.secret, '', 'carcosa/access-tokens', 32));
    this.#clock = parts.clock;
  }

  async sign(userId: UserId, sessionId: SessionId): Promise<string> {
    const { SignJWT } = await jose();
    const now = Math.floor(this.#clock.now() / 1000);
    return await new SignJWT({ sid: sessionId })
      .setProtectedHeader({ alg: ALGORITHM, typ: TYPE })
      .setIssuer(ISSUER)
      .setAudience(AUDIENCE)
      .setSubject(userId)
      .setIssuedAt(now)
      .setExpirationTime(now + ACCESS_TOKEN_SECONDS)
      .sign(this.#key);
  }

  /**
   * Whom the token names: at once when it was verified before.
   * @throws CarcosaError `unauthenticated` (or rejects with it) for whatever is not a token of ours in force: another algorithm,
   * type, issuer or audience, a header that names a key, a signature of somebody else
   */
  verify(token: string): AccessClaims | Promise<AccessClaims> {
    const known = this.#verified.get(token);
    if (!known) return this.#verifyAnew(token);
    if (known.expiresAt <= this.#clock.now()) {
      this.#verified.delete(token);
      throw new CarcosaError('unauthenticated');
    }
    this.#remember(token, known);
    return known;
  }

  async #verifyAnew(token: string): Promise<AccessClaims> {
    if (token.length > MAX_LENGTH) throw new CarcosaError('unauthenticated');
    const claims = claimsOf(await this.#check(token));
    this.#remember(token, claims);
    return claims;
  }

  async #check(token: string): Promise<JWTVerifyResult> {
    const { jwtVerify } = await jose();
    try {
      return await jwtVerify(token, this.#key, {
        algorithms: [ALGORITHM],
        typ: TYPE,
        issuer: ISSUER,
        audience: AUDIENCE,
        requiredClaims: ['sub', 'sid', 'iat', 'exp'],
        currentDate: new Date(this.#clock.now()),
      });
    } catch (cause) {
      throw new CarcosaError('unauthenticated', { cause });
    }
  }

  #remember(token: string, claims: AccessClaims): void {
    this.#verified.delete(token);
    this.#verified.set(token, claims);
    if (this.#verified.size <= CACHE_SIZE) return;
    const [oldest] = this.#verified.keys();
    if (oldest !== undefined) this.#verified.delete(oldest);
  }
}

/** We sign nothing but `alg` and `typ` into a header: one that names a key (`kid`, `jku`, `jwk`, `x5u`) was made by somebody else. */
function claimsOf({ protectedHeader, payload }: JWTVerifyResult): AccessClaims {
  const { sub, sid, aud, exp } = payload;
  const plain = Object.keys(protectedHeader).every((name) => name === 'alg' || name === 'typ');
  if (!plain || aud !== AUDIENCE || !isId('user', sub) || !isId('session', sid) || exp === undefined)
    throw new CarcosaError('unauthenticated');
  return { userId: sub, sessionId: sid, expiresAt: exp * 1000 };
}
