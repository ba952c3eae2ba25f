import { CarcosaError } from './errors.ts';
import type { EventType } from './openapi.ts';
import { unixSeconds } from './timing.ts';

/** What a webhook's body says. */
export interface WebhookEvent<Data = Record<string, unknown>> {
  type: EventType;
  /** ISO 8601: when it happened. */
  timestamp: string;
  data: Data;
}

export interface VerifyWebhookOptions {
  /** `whsec_…`; while a secret is being replaced, both. */
  secret: string | readonly string[];
  /** The body exactly as it came: parsing and printing it anew would change it. */
  body: string | Uint8Array;
  /** Of the request: `Headers`, or Node's object. */
  headers: Headers | Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Seconds that the request may be off the present time; default 300, as against replays. */
  tolerance?: number;
  /** Unix seconds; default: the present. */
  now?: number;
}

/**
 * Checks a request by Standard Webhooks (https://www.standardwebhooks.com) and gives what it says.
 * @throws CarcosaError `signature_invalid`
 */
export async function verifyWebhook<Data = Record<string, unknown>>(
  options: VerifyWebhookOptions,
): Promise<WebhookEvent<Data>> {
  const { headers, tolerance = 300 } = options;
  const header = (name: string): string => {
    const value = headers instanceof Headers ? headers.get(name) : headers[name];
    return typeof value === 'string' ? value : '';
  };
  const id = header('webhook-id');
  const sent = header('webhook-timestamp');
  const given = header('webhook-signature')
    .split(' ')
    .filter((each) => each.startsWith('v1,'))
    .map((each) => bytesOf(each.slice(3)));
  const now = options.now ?? unixSeconds();
  if (!id || !/^\d{1,12}$/.test(sent) || Math.abs(now - Number(sent)) > tolerance)
    throw refused('has no webhook-id, or was sent at another time than now');
  const encoder = new TextEncoder();
  const body = typeof options.body === 'string' ? encoder.encode(options.body) : options.body;
  const head = encoder.encode(`${id}.${sent}.`);
  const content = new Uint8Array(head.length + body.length);
  content.set(head);
  content.set(body, head.length);
  for (const secret of [options.secret].flat()) {
    const bytes = bytesOf(secret.replace(/^whsec_/, ''));
    if (!bytes?.length) throw new CarcosaError('invalid_argument', 'The secret of a webhook looks like whsec_….');
    const algorithm = { name: 'HMAC', hash: 'SHA-256' };
    const key = await crypto.subtle.importKey('raw', bytes, algorithm, false, ['verify']);
    for (const signature of given) {
      // Compares in constant time.
      if (signature && (await crypto.subtle.verify('HMAC', key, signature, content)))
        return JSON.parse(new TextDecoder().decode(body));
    }
  }
  throw refused('was not signed with this secret');
}

const refused = (why: string): CarcosaError =>
  new CarcosaError('signature_invalid', `This is no webhook of ours: it ${why}.`);

function bytesOf(base64: string): Uint8Array<ArrayBuffer> | null {
  try {
    return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  } catch {
    return null;
  }
}
