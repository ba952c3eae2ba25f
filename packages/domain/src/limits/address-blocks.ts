import { BlockList, isIP } from 'node:net';
import type { Clock } from '@carcosa/kernel';

/** Refusals in a row after which an address is blocked, and milliseconds after which a row has ended by itself. */
export const REFUSALS_TO_BLOCK = 100;
const ROW_MS = 15 * 60_000;
/** Length of the first block; each further one is twice as long, up to the longest. Forgotten a day after the last. */
export const FIRST_BLOCK_MS = 60_000;
export const LONGEST_BLOCK_MS = 3_600_000;
const FORGET_MS = 24 * 3_600_000;
/** Most addresses that are remembered; who was refused least recently is forgotten first. */
const CAPACITY = 100_000;

interface Watched {
  refusals: number;
  refusedAt: number;
  blocks: number;
  blockedUntil: number;
}

export interface BlockedAddress {
  address: string;
  /** Milliseconds since the epoch. */
  until: number;
  count: number;
}

export interface AddressBlocksParts {
  clock: Clock;
  /** Networks that are never blocked, beside this machine itself: as CARCOSA_TRUSTED_PROXIES has them. */
  trusted: readonly string[];
  /** Told of each block that begins here, so that other nodes block as well. */
  onBlock?: (block: BlockedAddress) => void;
}

/**
 * Blocks addresses that do nothing but be refused: after 100 answers 401 or 429 in a row, with no more than 15 minutes between two, for
 * a minute, then two, and so on up to an hour. One request that is let through ends the row, so that somebody who shares an address with
 * an abuser and has a key of their own mostly keeps it open. This machine and the trusted proxies are never blocked.
 */
export class AddressBlocks {
  /** Blocks that began here since the start. */
  begun = 0;
  readonly #parts: AddressBlocksParts;
  readonly #trusted: ReturnType<typeof trustedNetworks>;
  /** In the order of the last refusal. */
  readonly #watched = new Map<string, Watched>();

  constructor(parts: AddressBlocksParts) {
    this.#parts = parts;
    this.#trusted = trustedNetworks(['loopback', ...parts.trusted]);
  }

  /** Whether any address was refused of late: if none was, nobody need be looked up. */
  get hasAny(): boolean {
    return this.#watched.size > 0;
  }

  /** Milliseconds since the epoch until which the address is blocked; 0: it is not. `address` is as `clientOf` gives it. */
  blockedUntil(address: string): number {
    const until = this.#watched.get(address)?.blockedUntil ?? 0;
    return until > this.#parts.clock.now() ? until : 0;
  }

  /** Addresses that are remembered. */
  get watched(): number {
    return this.#watched.size;
  }

  refused(address: string): void {
    if (this.#isTrusted(address)) return;
    const now = this.#parts.clock.now();
    const watched = this.#watch(address, now);
    if (watched.blockedUntil > now) return;
    watched.refusals = now - watched.refusedAt > ROW_MS ? 1 : watched.refusals + 1;
    watched.refusedAt = now;
    if (watched.refusals < REFUSALS_TO_BLOCK) return;
    watched.refusals = 0;
    watched.blocks += 1;
    this.begun += 1;
    watched.blockedUntil = now + Math.min(LONGEST_BLOCK_MS, FIRST_BLOCK_MS * 2 ** (watched.blocks - 1));
    this.#parts.onBlock?.({ address, until: watched.blockedUntil, count: watched.blocks });
  }

  /** A request of that address was let through. */
  admitted(address: string): void {
    const watched = this.#watched.get(address);
    if (watched) watched.refusals = 0;
  }

  /** Another node has blocked the address. */
  adopt({ address, until, count }: BlockedAddress): void {
    if (this.#isTrusted(address)) return;
    const watched = this.#watch(address, this.#parts.clock.now());
    watched.blocks = Math.max(watched.blocks, count);
    watched.blockedUntil = Math.max(watched.blockedUntil, until);
  }

  release(address: string): void {
    this.#watched.delete(address);
  }

  list(): BlockedAddress[] {
    const now = this.#parts.clock.now();
    return [...this.#watched]
      .filter(([, { blockedUntil }]) => blockedUntil > now)
      .map(([address, { blockedUntil, blocks }]) => ({ address, until: blockedUntil, count: blocks }));
  }

  #watch(address: string, now: number): Watched {
    const known = this.#watched.get(address);
    this.#watched.delete(address);
    const isOld = known !== undefined && now - Math.max(known.refusedAt, known.blockedUntil) > FORGET_MS;
    const watched = known && !isOld ? known : { refusals: 0, refusedAt: now, blocks: 0, blockedUntil: 0 };
    this.#watched.set(address, watched);
    const [oldest] = this.#watched.keys();
    if (this.#watched.size > CAPACITY && oldest !== undefined) this.#watched.delete(oldest);
    return watched;
  }

  #isTrusted(address: string): boolean {
    const plain = address.endsWith('/64') ? address.slice(0, -3) : address;
    const family = isIP(plain);
    return family === 0 || (family === 6 ? this.#trusted.v6.check(plain, 'ipv6') : this.#trusted.v4.check(plain));
  }
}

/** The names that CARCOSA_TRUSTED_PROXIES knows. */
const NAMED_NETWORKS: Readonly<Record<string, readonly string[]>> = {
  // An address of IPv6 is counted by its network: that of ::1 is ::/64.
  loopback: ['127.0.0.0/8', '::/64'],
  linklocal: ['169.254.0.0/16', 'fe80::/10'],
  uniquelocal: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
};

/** One list for each family: in a common one ::/64 would hold all of IPv4, which Node looks up as ::ffff:0:0/96. */
function trustedNetworks(entries: readonly string[]): { v4: BlockList; v6: BlockList } {
  const lists = { v4: new BlockList(), v6: new BlockList() };
  for (const entry of entries.flatMap((each) => NAMED_NETWORKS[each] ?? [each])) {
    const [address = '', bits] = entry.split('/');
    if (isIP(address) === 6) lists.v6.addSubnet(address, Math.min(64, Number(bits ?? 64)), 'ipv6');
    else lists.v4.addSubnet(address, Number(bits ?? 32), 'ipv4');
  }
  return lists;
}
