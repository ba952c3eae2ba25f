import { ManualClock } from '@carcosa/kernel';
import { describe, expect, it } from 'vitest';
import { AddressBlocks, type BlockedAddress, REFUSALS_TO_BLOCK } from './address-blocks.ts';

const MINUTE = 60_000;
const ABUSER = '203.0.113.7';

function setUp(trusted: string[] = []) {
  const clock = new ManualClock();
  const told: BlockedAddress[] = [];
  const blocks = new AddressBlocks({ clock, trusted, onBlock: (block) => told.push(block) });
  const refuse = (address: string, times = REFUSALS_TO_BLOCK) => {
    for (let each = 0; each < times; each++) blocks.refused(address);
  };
  return { clock, blocks, told, refuse };
}

describe('blocks of addresses', () => {
  it('begin with the hundredth refusal in a row, and grow from a minute to an hour', () => {
    const { clock, blocks, told, refuse } = setUp();
    refuse(ABUSER, REFUSALS_TO_BLOCK - 1);
    expect(blocks.blockedUntil(ABUSER)).toBe(0);
    for (const minutes of [1, 2, 4, 8, 16, 32, 60, 60]) {
      refuse(ABUSER);
      expect(blocks.blockedUntil(ABUSER)).toBe(clock.now() + minutes * MINUTE);
      clock.advance(minutes * MINUTE);
      expect(blocks.blockedUntil(ABUSER)).toBe(0);
    }
    expect(told.map(({ count }) => count)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(blocks.blockedUntil('203.0.113.8')).toBe(0);
  });

  it('a request that is let through ends the row, and so do 15 minutes', () => {
    const { clock, blocks, refuse } = setUp();
    for (let each = 0; each < 5; each++) {
      refuse(ABUSER, REFUSALS_TO_BLOCK - 1);
      if (each % 2 === 0) blocks.admitted(ABUSER);
      else clock.advance(15 * MINUTE + 1);
    }
    expect(blocks.list()).toEqual([]);
  });

  it('begin small again after a day', () => {
    const { clock, blocks, refuse } = setUp();
    refuse(ABUSER);
    clock.advance(25 * 60 * MINUTE);
    refuse(ABUSER);
    expect(blocks.list()).toEqual([{ address: ABUSER, until: clock.now() + MINUTE, count: 1 }]);
  });

  it('never meet this machine or a trusted proxy', () => {
    const { blocks, refuse } = setUp(['10.0.0.0/8', 'uniquelocal', '2001:db8::5']);
    for (const address of ['127.0.0.1', '127.9.9.9', '0:0:0:0::/64', '10.1.2.3', '192.168.0.1', '2001:db8:0:0::/64'])
      refuse(address, 3 * REFUSALS_TO_BLOCK);
    expect(blocks.list()).toEqual([]);
    refuse('2001:db8:0:1::/64');
    expect(blocks.list()).toHaveLength(1);
  });

  it('are adopted from other nodes, and ended by an administrator', () => {
    const { clock, blocks } = setUp();
    const block = { address: ABUSER, until: clock.now() + MINUTE, count: 3 };
    blocks.adopt(block);
    expect(blocks.list()).toEqual([block]);
    blocks.release(ABUSER);
    expect(blocks.blockedUntil(ABUSER)).toBe(0);
  });

  it('are bounded in number', () => {
    const { blocks } = setUp();
    for (let each = 0; each < 120_000; each++) blocks.refused(`198.${each >> 16}.${(each >> 8) & 255}.${each & 255}`);
    expect(blocks.watched).toBe(100_000);
  });
});
