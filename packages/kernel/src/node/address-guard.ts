import { type LookupAddress, lookup as resolve } from 'node:dns';
import { type AgentOptions, type ClientRequestArgs, Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import type { Duplex } from 'node:stream';

/** Networks of IPv4 that are not the public internet: IANA's registry of special purposes, multicast and what is reserved. */
const SPECIAL_IPV4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
];

/** All of IPv6 that is in use publicly; whatever carries an IPv4 address in another way lies outside of it or is excepted below. */
const PUBLIC_IPV6 = '2000::/3';
/** Protocols and Teredo, documentation, 6to4: the last two and Teredo lead to IPv4 addresses that nobody has looked at. */
const SPECIAL_IPV6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'];

export const LOOPBACK_NETWORKS: readonly string[] = ['127.0.0.0/8', '::1/128'];

export interface AddressGuardOptions {
  /** Addresses and networks in CIDR notation that are allowed although they are private. */
  allow: readonly string[];
  /** The error for a host that may not be reached; it should not say which address a name has. */
  refuse(host: string): Error;
}

/**
 * Keeps requests that somebody else has named the address of away from private networks: it looks at the address that a
 * connection is really made to, so that neither a name that leads inside, nor one whose answer changes, nor another spelling of an
 * address passes.
 */
export class AddressGuard {
  readonly #options: AddressGuardOptions;
  readonly #allowed: BlockList;

  constructor(options: AddressGuardOptions) {
    this.#options = options;
    this.#allowed = networks(options.allow);
  }

  /** Whether `address`, IPv4 or IPv6, is public or allowed. */
  isAllowed(address: string): boolean {
    const [plain = ''] = address.split('%', 1);
    const family = isIP(plain);
    if (family === 0) return false;
    const type = family === 4 ? 'ipv4' : 'ipv6';
    if (this.#allowed.check(plain, type)) return true;
    return family === 4 ? !special4.check(plain, type) : public6.check(plain, type) && !special6.check(plain, type);
  }

  /** For `lookup` of `net.connect`: resolves once, and refuses a name of which any address may not be reached. */
  readonly lookup: LookupFunction = (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) callback(error, '');
      else if (!addresses.every(({ address }) => this.isAllowed(address)))
        callback(this.#options.refuse(hostname) as NodeJS.ErrnoException, '');
      else if (options.all) callback(null, addresses);
      else {
        const { address, family } = addresses[0] as LookupAddress;
        callback(null, address, family);
      }
    });
  };

  /** Agents whose connections are guarded, addresses in place of names included, which are never looked up. */
  agents(options: AgentOptions): { http: HttpAgent; https: HttpsAgent } {
    return { http: new GuardedHttpAgent(this, options), https: new GuardedHttpsAgent(this, options) };
  }

  /** What is wrong with a host that is an address already; null for names, which `lookup` sees to. */
  refusalOf(host: string): Error | null {
    const address = host.replace(/^\[|\]$/g, '');
    return isIP(address) !== 0 && !this.isAllowed(address) ? this.#options.refuse(host) : null;
  }
}

type OnSocket = (error: Error | null, socket: Duplex) => void;

class GuardedHttpAgent extends HttpAgent {
  readonly #guard: AddressGuard;

  constructor(guard: AddressGuard, options: AgentOptions) {
    super(options);
    this.#guard = guard;
  }

  override createConnection(options: ClientRequestArgs, callback?: OnSocket): Duplex | null | undefined {
    const refusal = this.#guard.refusalOf(String(options.host));
    if (!refusal) return super.createConnection({ ...options, lookup: this.#guard.lookup }, callback);
    callback?.(refusal, undefined as unknown as Duplex);
    return undefined;
  }
}

class GuardedHttpsAgent extends HttpsAgent {
  readonly #guard: AddressGuard;

  constructor(guard: AddressGuard, options: AgentOptions) {
    super(options);
    this.#guard = guard;
  }

  override createConnection(options: ClientRequestArgs, callback?: OnSocket): Duplex | null | undefined {
    const refusal = this.#guard.refusalOf(String(options.host));
    if (!refusal) return super.createConnection({ ...options, lookup: this.#guard.lookup }, callback);
    callback?.(refusal, undefined as unknown as Duplex);
    return undefined;
  }
}

const special4 = networks(SPECIAL_IPV4);
const public6 = networks([PUBLIC_IPV6]);
const special6 = networks(SPECIAL_IPV6);

function networks(list: readonly string[]): BlockList {
  const blocks = new BlockList();
  for (const entry of list) {
    const [address = '', bits] = entry.split('/');
    const type = isIP(address) === 4 ? 'ipv4' : 'ipv6';
    blocks.addSubnet(address, bits === undefined ? (type === 'ipv4' ? 32 : 128) : Number(bits), type);
  }
  return blocks;
}
