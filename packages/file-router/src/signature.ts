const PREFIX = 'hmac-sha256=';
const ALGORITHM = { name: 'HMAC', hash: 'SHA-256' } as const;
const encoder = new TextEncoder();

/** HMAC-SHA256 by the Web Crypto API, keyed with the text of the API key. */
export async function sign(text: string, apiKey: string): Promise<string> {
  const key = await crypto.subtle.importKey('raw', encoder.encode(apiKey), ALGORITHM, false, ['sign']);
  const bytes = new Uint8Array(await crypto.subtle.sign(ALGORITHM, key, encoder.encode(text)));
  return PREFIX + [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Compares in constant time. */
export async function verify(text: string, signature: string | null, apiKey: string): Promise<boolean> {
  const hex = /^hmac-sha256=([0-9a-f]{64})$/.exec(signature ?? '')?.[1];
  if (!hex) return false;
  const key = await crypto.subtle.importKey('raw', encoder.encode(apiKey), ALGORITHM, false, ['verify']);
  const bytes = Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  return await crypto.subtle.verify(ALGORITHM, key, bytes, encoder.encode(text));
}

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** 32 letters and digits: 190 random bits. */
export function newKey(): string {
  let key = '';
  while (key.length < 32) {
    for (const byte of crypto.getRandomValues(new Uint8Array(48))) {
      // Beyond 248 some letters would come more often than others.
      if (byte < 248 && key.length < 32) key += ALPHABET[byte % 62];
    }
  }
  return key;
}
