import { BlockList, isIP } from 'node:net';
import type { KeyRestrictions } from '@carcosa/contracts';
import { CarcosaError } from '@carcosa/kernel';
import type { CredentialRequest } from './credentials.ts';

/** Made once for each key that is remembered. */
const ranges = new WeakMap<KeyRestrictions, BlockList>();

/**
 * Whether a key that is confined to networks or origins may be used from where the request comes.
 * @throws CarcosaError `forbidden`, which says which of the two it is
 */
export function assertWhence(restrictions: KeyRestrictions, request: CredentialRequest): void {
  const { ipRanges, origins } = restrictions;
  if (ipRanges && !contains(restrictions, ipRanges, request.ip)) {
    throw new CarcosaError('forbidden', {
      message: 'This key may only be used from certain networks, and this address is in none of them.',
      details: { restriction: 'ipRanges', ipAddress: request.ip },
    });
  }
  const { origin } = request.raw.headers;
  if (origins && (origin === undefined || !origins.includes(origin))) {
    throw new CarcosaError('forbidden', {
      message: 'This key may only be used by pages of certain origins, and this request comes from none of them.',
      details: { restriction: 'origins', origin: origin ?? null },
    });
  }
}

function contains(restrictions: KeyRestrictions, ipRanges: readonly string[], address: string): boolean {
  const list = ranges.get(restrictions) ?? listOf(ipRanges);
  ranges.set(restrictions, list);
  // An IPv4 address on a socket for both is written as one of IPv6.
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
  return isIP(plain) !== 0 && list.check(plain, familyOf(plain));
}

function listOf(ipRanges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ipRanges) {
    const [address = '', bits] = range.split('/');
    if (bits === undefined) list.addAddress(address, familyOf(address));
    else list.addSubnet(address, Number(bits), familyOf(address));
  }
  return list;
}

const familyOf = (address: string): 'ipv4' | 'ipv6' => (isIP(address) === 4 ? 'ipv4' : 'ipv6');
