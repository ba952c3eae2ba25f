import { readFileSync } from 'node:fs';
import { Histogram } from '@carcosa/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { METRICS } from './catalogue.ts';
import { Exposition } from './exposition.ts';
import { mayReadMetrics } from './metrics-access.ts';
import { metricsDocument } from './metrics-document.ts';

const ROOT = new URL('../../../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, ROOT), 'utf8');

it('docs/metrics.md is what "npm run docs" would write', () => {
  expect(read('docs/metrics.md')).toBe(metricsDocument());
});

it('there are at least 25 metrics, named by the conventions of Prometheus', () => {
  const entries = Object.entries(METRICS);
  expect(entries.length).toBeGreaterThanOrEqual(25);
  for (const [name, { type, help }] of entries) {
    expect(name).toMatch(/^(carcosa|process)_[a-z_]+$/);
    expect(name.endsWith('_total'), name).toBe(type === 'counter');
    expect(help, name).toMatch(/\S\.$/);
  }
});

describe.each(['deploy/prometheus/carcosa.rules.yml', 'deploy/grafana/carcosa-dashboard.json'])('%s', (path) => {
  const names = new Set(read(path).match(/\b(?:carcosa|process)_[a-z_]*[a-z]\b/g));
  it('speaks only of metrics that there are', () => {
    expect(names.size).toBeGreaterThan(5);
    const known = Object.entries(METRICS).flatMap(([name, { type }]) =>
      type === 'histogram' ? ['_bucket', '_sum', '_count'].map((suffix) => name + suffix) : [name],
    );
    expect([...names].filter((name) => !known.includes(name))).toEqual([]);
  });
});

describe('the exposition', () => {
  it('escapes labels so that they can be read back, whatever is in them', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        const out = new Exposition();
        out.add('carcosa_error_answers_total', 1, value);
        const line = String(out)
          .split('\n')
          .find((each) => each.startsWith('carcosa_error_answers_total{'));
        const [, written = ''] = /^carcosa_error_answers_total\{code="(.*)"\} 1$/su.exec(line ?? '') ?? [];
        const unescaped = written.replace(/\\(.)/gsu, (_all, escaped: string) => (escaped === 'n' ? '\n' : escaped));
        expect(unescaped).toBe(value);
      }),
    );
  });

  it('adds up the buckets of a histogram', () => {
    const sizes = new Histogram([1, 2]);
    for (const value of [1, 2, 2, 7]) sizes.observe(value);
    const out = new Exposition();
    out.addHistogram('carcosa_group_commit_items', sizes, 'g');
    expect(String(out)).toContain(
      ['_bucket{group="g",le="1"} 1', '_bucket{group="g",le="2"} 3', '_bucket{group="g",le="+Inf"} 4']
        .concat('_sum{group="g"} 12', '_count{group="g"} 4')
        .map((line) => `carcosa_group_commit_items${line}\n`)
        .join(''),
    );
  });

  it('does not take a value whose labels are not those of the metric', () => {
    expect(() => new Exposition().add('carcosa_uploads_total', 1, 'tus')).toThrow(/2 labels/);
  });
});

describe('who may read the metrics', () => {
  const open = { metricsToken: undefined, publicUrl: undefined };
  const local = { authorization: undefined, host: 'localhost:4000', address: '127.0.0.1', isForwarded: false };
  const token = 'a-token-of-the-operator';

  it.each(['127.0.0.1', '::1', '::ffff:127.0.0.1'])('without a token, this machine itself: %s', (address) => {
    expect(mayReadMetrics(open, { ...local, address })).toBeNull();
  });

  it.each([
    ['another machine', open, { address: '10.0.0.7' }],
    ['an address that only begins like ours', open, { address: '127.0.0.1.example.com' }],
    ['a proxy that says for whom it asks', open, { isForwarded: true }],
    ['a proxy that hands on the name', open, { host: 'files.example.com' }],
    ['a page that has made its name point here', open, { host: 'localhost.example.com' }],
    ['whoever asks when a proxy is in front', { ...open, publicUrl: 'https://files.example.com' }, {}],
  ])('not %s', (_who, access, reader) => {
    expect(mayReadMetrics(access, { ...local, ...reader })?.code).toBe('forbidden');
  });

  it('with a token, whoever sends it, and nobody else', () => {
    const access = { ...open, metricsToken: token };
    const far = { ...local, address: '10.0.0.7', host: 'files.example.com', isForwarded: true };
    expect(mayReadMetrics(access, { ...far, authorization: `Bearer ${token}` })).toBeNull();
    for (const authorization of [undefined, `Bearer ${token}x`, `Basic ${token}`, 'Bearer', token])
      expect(mayReadMetrics(access, { ...local, authorization })?.code).toBe('unauthenticated');
  });
});
