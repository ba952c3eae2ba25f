import { describe, expect, it } from 'vitest';
import type { Line } from './claim.ts';
import { type KeptResult, renderTable, replaceBetweenMarkers } from './table.ts';

const line: Line = {
  work: '1 GiB by tus',
  unit: 'MB/s',
  ours: 812.345,
  peer: 'nginx',
  theirs: 1000,
  ratio: 0.8123,
  reach: { atLeastRatio: 0.6 },
  verdict: 'reached',
};

function kept(lines: readonly Line[]): KeptResult {
  const conditions = {
    date: '2026-11-21T10:00:00.000Z',
    processor: 'a processor',
    cores: 2,
    memoryGiB: 24,
    kernel: 'linux 6',
    fileSystem: 'ext4',
    node: 'v24',
    commit: 'abc',
    loadBefore: 0.5,
    pinned: false,
    versions: { sirv: '3' },
  } as const;
  return { name: 'tus-1gib', what: 'w', rounds: 5, conditions, lines };
}

describe('renderTable', () => {
  it('writes one row a line', () => {
    const row = '| 1 GiB by tus | 812 MB/s | nginx: 1,000 | 0.81 x | >= 0.60 x | reached |';
    expect(renderTable([kept([line])])).toContain(row);
  });

  it('shows a miss and a limit as they are', () => {
    const limit: Line = { ...line, peer: null, theirs: null, ratio: null, reach: { atMost: 200 }, verdict: 'missed' };
    expect(renderTable([kept([limit])])).toContain('| 812 MB/s |  |  | <= 200 MB/s | missed |');
  });
});

describe('replaceBetweenMarkers', () => {
  it('keeps what stands around the markers', () => {
    const text = 'a\n<!-- bench:begin -->\nold\n<!-- bench:end -->\nb\n';
    expect(replaceBetweenMarkers(text, 'new\n')).toBe('a\n<!-- bench:begin -->\nnew\n<!-- bench:end -->\nb\n');
  });

  it('leaves a text without markers alone', () => {
    expect(replaceBetweenMarkers('no markers', 'new')).toBeNull();
  });
});
