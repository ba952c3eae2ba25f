import { type Random, randomToken } from '@carcosa/kernel';

const PUBLIC_ID_LENGTH = 16;
const SECRET_LENGTH = 43;
const TOKEN = /^sk_([0-9A-Za-z]{8,32})_([0-9A-Za-z]{32,64})$/;

/** The two halves of an API key `sk_<public id>_<secret>`. */
export interface ApiKeyToken {
  publicId: string;
  /** 256 random bits in base 62. Never stored, never logged. */
  secret: string;
}

export function newApiKeyToken(random: Random): ApiKeyToken {
  return { publicId: randomToken(random, PUBLIC_ID_LENGTH), secret: randomToken(random, SECRET_LENGTH) };
}

export function formatApiKey(token: ApiKeyToken): string {
  return `sk_${token.publicId}_${token.secret}`;
}

/** Null when `text` has not the form of an API key. */
export function parseApiKey(text: string): ApiKeyToken | null {
  const match = TOKEN.exec(text);
  return match?.[1] && match[2] ? { publicId: match[1], secret: match[2] } : null;
}
