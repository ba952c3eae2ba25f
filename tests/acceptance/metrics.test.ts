import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { markSecretsOf } from '../support/run-logs.ts';
import { type Server, startServer } from '../support/server.ts';
import { describeWith, findTool } from '../support/tools.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

const scrape = async (): Promise<string> => {
  const answer = await server.request('/metrics');
  expect(answer.status).toBe(200);
  return answer.text();
};

/** The sum of all series of a metric whose labels have all of `labels`. */
function sumOf(text: string, name: string, ...labels: string[]): number {
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  const matching = lines.filter((line) => labels.every((label) => line.includes(label)));
  return matching.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

const ROUTE = 'route="/api/v1/files"';

describe('GET /metrics', () => {
  it('counts what a client did: requests by route, uploads by door, downloads, refusals', async () => {
    const before = await scrape();
    const put = await server.api<{ id: string; url: string }>('POST', '/files', {
      query: { path: 'metrics/secret-name.bin', visibility: 'public' },
      body: Buffer.alloc(1000, 7),
    });
    const address = new URL(put.data.url).pathname;
    expect((await server.request(address)).status).toBe(200);
    expect((await server.request(address, { headers: { range: 'bytes=0-9' } })).status).toBe(206);
    expect((await server.api('GET', '/files', { key: null })).status).toBe(401);
    const after = await scrape();
    const grown = (name: string, ...labels: string[]) => sumOf(after, name, ...labels) - sumOf(before, name, ...labels);
    expect(grown('carcosa_http_requests_total', ROUTE, 'method="POST"', 'status="2xx"')).toBe(1);
    expect(grown('carcosa_http_requests_total', ROUTE, 'method="GET"', 'status="4xx"')).toBe(1);
    expect(grown('carcosa_http_requests_total', 'route="/f/:key"', 'status="2xx"')).toBe(2);
    expect(grown('carcosa_http_request_duration_seconds_count', ROUTE, 'method="POST"')).toBe(1);
    expect(grown('carcosa_uploads_total', 'door="simple"', 'outcome="completed"')).toBe(1);
    expect(grown('carcosa_upload_bytes_total', 'door="simple"')).toBe(1000);
    expect(grown('carcosa_downloads_total', 'delivery="whole"')).toBe(1);
    expect(grown('carcosa_download_bytes_total', 'delivery="range"')).toBe(10);
    expect(grown('carcosa_error_answers_total', 'code="unauthenticated"')).toBe(1);
    expect(grown('carcosa_refusals_total')).toBe(1);
    expect(grown('carcosa_http_received_bytes_total')).toBeGreaterThan(1000);
    expect(grown('carcosa_http_sent_bytes_total')).toBeGreaterThan(1010);
    expect(grown('carcosa_group_commit_items_count', 'group="small-files"')).toBeGreaterThan(0);
    expect(grown('carcosa_cache_lookups_total', 'cache="api-keys"', 'result="hit"')).toBeGreaterThan(0);
    expect(sumOf(after, 'carcosa_http_requests_in_flight'), 'the scrape itself').toBe(1);
    expect(sumOf(after, 'carcosa_ready')).toBe(1);
    expect(sumOf(after, 'carcosa_disk_free_bytes')).toBeGreaterThan(0);
    expect(sumOf(after, 'carcosa_database_use_seconds_count')).toBeGreaterThan(0);
  });

  it('gives every metric of the catalogue, and none of what clients choose', async () => {
    for (const name of ['a', 'b', 'c']) {
      await server.request(`/no-such-place/${name}`);
      await server.request(`/f/unknown-${name}`);
      await server.request('/api/v1/files', { method: 'POST', headers: { 'x-request-id': `chosen-${name}-chosen` } });
    }
    const text = await scrape();
    expect(text).not.toMatch(/secret-name|no-such-place|unknown-|chosen|prj_|file_/);
    expect(sumOf(text, 'carcosa_http_requests_total', 'route="(none)"', 'status="4xx"')).toBeGreaterThanOrEqual(3);
    expect(text.match(/^# TYPE /gm)?.length).toBeGreaterThanOrEqual(25);
  });

  it('counts a client that leaves before its upload is whole as aborted', async () => {
    const client = new AbortController();
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(Buffer.alloc(100)),
      cancel: () => {},
    });
    const sending = server.api('POST', '/files', { query: { path: 'left.bin' }, body, signal: client.signal });
    await expect.poll(async () => sumOf(await scrape(), 'carcosa_http_requests_in_flight')).toBe(2);
    client.abort();
    await expect(sending).rejects.toThrow();
    const aborted = async () => sumOf(await scrape(), 'carcosa_http_requests_total', ROUTE, 'status="aborted"');
    await expect.poll(aborted).toBe(1);
    expect(sumOf(await scrape(), 'carcosa_http_requests_in_flight')).toBe(1);
  });

  it('is not for whoever comes through a proxy; with a token, for who has it', async () => {
    const forwarded = await server.request('/metrics', { headers: { 'x-forwarded-for': '203.0.113.9' } });
    expect(forwarded.status).toBe(403);
    const token = 'metrics-token-of-this-test';
    markSecretsOf(JSON.stringify({ token }));
    await server.restart({ env: { CARCOSA_METRICS_TOKEN: token } });
    expect((await server.request('/metrics')).status).toBe(401);
    expect((await server.request('/metrics', { headers: { authorization: 'Bearer wrong' } })).status).toBe(401);
    const read = await server.request('/metrics', { headers: { authorization: `Bearer ${token}` } });
    expect(read.status).toBe(200);
    expect(read.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    await server.restart({ env: { CARCOSA_METRICS_TOKEN: undefined } });
  });
});

describeWith(['promtool'], 'Prometheus', () => {
  const promtool = (args: string[], input?: string) => {
    const { status, stdout, stderr } = spawnSync(findTool('promtool') as string, args, { input, encoding: 'utf8' });
    return { status, output: stdout + stderr };
  };
  const rules = path.join(import.meta.dirname, '../../deploy/prometheus/carcosa.rules.yml');

  it('accepts the metrics, without a word', async () => {
    expect(promtool(['check', 'metrics'], await scrape())).toEqual({ status: 0, output: '' });
  });

  it('accepts every query of the dashboard', async () => {
    const read = async (name: string) =>
      await readFile(path.join(import.meta.dirname, '../../deploy/grafana', name), 'utf8');
    const { panels } = JSON.parse(await read('carcosa-dashboard.json')) as {
      panels: { targets: { expr: string }[] }[];
    };
    const queries = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
    expect(queries.length).toBeGreaterThan(20);
    const recorded = queries.map((expr, index) => {
      return {
        record: `query_${index}`,
        expr: expr.replaceAll('$__rate_interval', '1m').replaceAll('$instance', '.*'),
      };
    });
    const directory = await mkdtemp(path.join(tmpdir(), 'carcosa-queries-'));
    const check = async (rules: object[]) => {
      // JSON is YAML.
      const file = path.join(directory, 'queries.yml');
      await writeFile(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
      return promtool(['check', 'rules', file]);
    };
    try {
      expect(await check(recorded)).toMatchObject({ status: 0 });
      expect((await check([{ record: 'broken', expr: 'rate(' }])).status).not.toBe(0);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it('accepts the rules, which fire when they should', () => {
    expect(promtool(['check', 'rules', rules]).output).toMatch(/SUCCESS: \d+ rules found/);
    const tests = path.join(path.dirname(rules), 'carcosa.rules.test.yml');
    expect(promtool(['test', 'rules', tests])).toMatchObject({ status: 0 });
  });
});
