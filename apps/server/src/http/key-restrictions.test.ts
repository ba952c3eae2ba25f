import fc from 'fast-check';
import type { FastifyRequest } from 'fastify';
import { describe, expect, it } from 'vitest';
import { assertWhence } from './key-restrictions.ts';

const from = (ip: string, origin?: string) => ({ ip, raw: { headers: { origin } } }) as unknown as FastifyRequest;

function isLetIn(restrictions: Parameters<typeof assertWhence>[0], request: FastifyRequest): boolean {
  try {
    assertWhence(restrictions, request);
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: 'forbidden' });
    return false;
  }
}

describe('networks', () => {
  it.each([
    ['10.1.2.3', true],
    ['10.255.255.255', true],
    ['11.0.0.1', false],
    ['192.0.2.7', true],
    ['192.0.2.8', false],
    ['::ffff:10.1.2.3', true],
    ['::FFFF:11.0.0.1', false],
    ['2001:db8::1', true],
    ['2001:db9::1', false],
    ['nonsense', false],
  ])('%s: %s', (address, expected) => {
    const restrictions = { ipRanges: ['10.0.0.0/8', '192.0.2.7', '2001:db8::/32'] };
    expect(isLetIn(restrictions, from(address))).toBe(expected);
    expect(isLetIn(restrictions, from(address)), 'remembered').toBe(expected);
  });

  it('an address is in the network that its leading bits name, and in no other', () => {
    const bytes = fc.tuple(...Array.from({ length: 4 }, () => fc.integer({ min: 0, max: 255 })));
    fc.assert(
      fc.property(bytes, bytes, fc.integer({ min: 1, max: 32 }), (network, address, bits) => {
        const number = (parts: number[]): bigint => parts.reduce((sum, part) => sum * 256n + BigInt(part), 0n);
        const shift = BigInt(32 - bits);
        const inside = number(network) >> shift === number(address) >> shift;
        const restrictions = { ipRanges: [`${network.join('.')}/${bits}`] };
        expect(isLetIn(restrictions, from(address.join('.')))).toBe(inside);
      }),
    );
  });
});

describe('origins', () => {
  const restrictions = { origins: ['https://app.example.com'] };
  it.each([
    ['https://app.example.com', true],
    ['https://app.example.com:8443', false],
    ['http://app.example.com', false],
    ['https://app.example.com.evil.example', false],
    ['null', false],
    [undefined, false],
  ])('%s: %s', (origin, expected) => expect(isLetIn(restrictions, from('127.0.0.1', origin))).toBe(expected));
});

it('what is not restricted is let in from anywhere', () => {
  expect(isLetIn({}, from('203.0.113.1'))).toBe(true);
  expect(isLetIn({ tenantId: 'x', pathPrefix: 'y' }, from('nonsense', 'null'))).toBe(true);
});
