import { type Clock, systemClock } from './clock.ts';
import { type Random, systemRandom } from './random.ts';

declare const brand: unique symbol;
type Branded<Prefix extends string> = `${Prefix}_${string}` & { readonly [brand]: Prefix };

/** The prefix of each kind of id. */
export const ID_PREFIXES = {
  organization: 'org',
  team: 'team',
  project: 'prj',
  tenant: 'ten',
  bucket: 'bkt',
  apiKey: 'key',
  user: 'usr',
  session: 'ses',
  invitation: 'inv',
  token: 'tok',
  file: 'file',
  object: 'obj',
  upload: 'upl',
  job: 'job',
  request: 'req',
  process: 'node',
  event: 'evt',
  webhook: 'whk',
  delivery: 'dlv',
  preset: 'pre',
  callback: 'cbk',
  alarm: 'alm',
} as const;

export type IdKind = keyof typeof ID_PREFIXES;
export type Id<Kind extends IdKind> = Branded<(typeof ID_PREFIXES)[Kind]>;

export type OrganizationId = Id<'organization'>;
export type TeamId = Id<'team'>;
export type ProjectId = Id<'project'>;
export type TenantId = Id<'tenant'>;
export type BucketId = Id<'bucket'>;
export type ApiKeyId = Id<'apiKey'>;
export type UserId = Id<'user'>;
export type SessionId = Id<'session'>;
export type InvitationId = Id<'invitation'>;
/** Of a tenant token. */
export type TokenId = Id<'token'>;
export type FileId = Id<'file'>;
export type ObjectId = Id<'object'>;
export type UploadId = Id<'upload'>;
export type EventId = Id<'event'>;
export type WebhookId = Id<'webhook'>;
/** Of one event to one webhook. */
export type DeliveryId = Id<'delivery'>;
/** Of steps of transforms. */
export type PresetId = Id<'preset'>;
/** Of one word to an app about one upload. */
export type CallbackId = Id<'callback'>;

export type AlarmId = Id<'alarm'>;

// Crockford's base 32 in lower case: sorts as the number does, has no look-alikes, is safe in URLs and file names.
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
/** All pairs of letters, by ten bits. */
const PAIRS = Array.from({ length: 1024 }, (_, bits) => `${ALPHABET[bits >> 5]}${ALPHABET[bits & 31]}`);
const TIME_LENGTH = 10;
const RANDOM_LENGTH = 16;
const BODY = /^[0-9a-hjkmnp-tv-z]{26}$/;

/** Makes ids of 48 bits of time and 80 random bits, as a ULID: `file_01j…`, sortable by time of creation. */
export class IdGenerator {
  readonly #clock: Clock;
  readonly #random: Random;
  #headTime = -1;
  #lastHead = '';

  constructor(clock: Clock = systemClock, random: Random = systemRandom) {
    this.#clock = clock;
    this.#random = random;
  }

  next<Kind extends IdKind>(kind: Kind): Id<Kind> {
    const bytes = this.#random.bytes(RANDOM_LENGTH);
    let tail = '';
    for (let i = 0; i < RANDOM_LENGTH; i += 2) {
      tail += PAIRS[(((bytes[i] as number) & 31) << 5) | ((bytes[i + 1] as number) & 31)];
    }
    return `${ID_PREFIXES[kind]}_${this.#head()}${tail}` as Id<Kind>;
  }

  /** The time; every request makes ids, many of them in one millisecond. */
  #head(): string {
    const now = this.#clock.now();
    if (now === this.#headTime) return this.#lastHead;
    let head = '';
    let time = now;
    for (let i = 0; i < TIME_LENGTH; i++) {
      head = ALPHABET[time % 32] + head;
      time = Math.floor(time / 32);
    }
    this.#headTime = now;
    this.#lastHead = head;
    return head;
  }
}

/** Whether `value` has the form of an id of that kind; says nothing of its existence. */
export function isId<Kind extends IdKind>(kind: Kind, value: unknown): value is Id<Kind> {
  if (typeof value !== 'string') return false;
  const prefix = `${ID_PREFIXES[kind]}_`;
  return value.startsWith(prefix) && BODY.test(value.slice(prefix.length));
}
