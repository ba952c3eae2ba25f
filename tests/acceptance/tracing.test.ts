import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectData } from '../support/api.ts';
import { until } from '../support/clock.ts';
import { type OtlpReceiver, type SeenSpan, startOtlpReceiver } from '../support/otlp-receiver.ts';
import { patternBytes } from '../support/random.ts';
import { type Server, startServer } from '../support/server.ts';
import { WebhookReceiver } from '../support/webhook-receiver.ts';
import type { FileInfo } from '../support/wire.ts';

let collector: OtlpReceiver;
let server: Server;
beforeAll(async () => {
  collector = await startOtlpReceiver();
  server = await startServer({
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_HEADERS: 'x-scope=carcosa-tests',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment=tests',
      OTEL_BSP_SCHEDULE_DELAY: '100',
      CARCOSA_LOG_LEVEL: 'debug',
      CARCOSA_WEBHOOK_ALLOW_PRIVATE: '127.0.0.1',
    },
  });
});
afterAll(async () => {
  await server.stop();
  await collector.close();
});

const PARENT = 'b7ad6b7169203331';
let traces = 0;
const newTrace = (): string => (++traces).toString(16).padStart(32, '0a');
const traceparent = (traceId: string): string => `00-${traceId}-${PARENT}-01`;
const of = (traceId: string): SeenSpan[] => collector.spans.filter((span) => span.traceId === traceId);
const named = (traceId: string, name: RegExp): Promise<SeenSpan> =>
  until(() => of(traceId).find((span) => name.test(span.name)), { what: `a span ${name}` });
const attributes = (span: SeenSpan) =>
  Object.fromEntries(span.attributes.map(({ key, value }) => [key, value.stringValue ?? Number(value.intValue)]));

describe('with OTEL_EXPORTER_OTLP_ENDPOINT', () => {
  it('an upload is part of the trace of who asked for it, with what it does in database and bucket', async () => {
    const traceId = newTrace();
    const headers = { traceparent: traceparent(traceId) };
    const query = { path: 'private-folder/private-name.txt' };
    expectData(await server.api<FileInfo>('POST', '/files', { query, headers, body: 'traced' }), 201);
    const request = await named(traceId, /^POST \/api\/v1\/files$/);
    expect(request.parentSpanId).toBe(PARENT);
    expect(attributes(request)).toMatchObject({ 'http.route': '/api/v1/files', 'http.response.status_code': 201 });
    const statement = await named(traceId, /^db complete_whole_uploads$/);
    const stored = await named(traceId, /^storage whole put$/);
    for (const span of [statement, stored]) expect(span.parentSpanId).toBe(request.spanId);
    expect(collector.texts.join()).not.toMatch(/private-(folder|name)|sk_/);
    expect(collector.texts[0]).toContain('"deployment.environment"');
    expect(collector.texts[0]).toContain('"carcosa"');
    expect(new Set(collector.headers('x-scope'))).toEqual(new Set(['carcosa-tests']));
  });

  it('a staged upload and a download go through it whole', async () => {
    const bytes = patternBytes('traced', 3_000_000);
    const made = await server.api<FileInfo>('POST', '/files', { query: { path: 'big.bin' }, body: bytes });
    const { id, url } = expectData(made, 201);
    const traceId = newTrace();
    const read = await server.request(new URL(url).pathname, { headers: { traceparent: traceparent(traceId) } });
    expect(Buffer.from(await read.arrayBuffer()).equals(bytes)).toBe(true);
    await named(traceId, /^GET \/f\/:key$/);
    expect(id).toMatch(/^file_/);
    await until(() => collector.spans.some(({ name }) => name === 'storage staged commit'), { what: 'the commit' });
  });

  it('a job is part of the trace that caused it', async () => {
    const { id } = expectData(await server.api<{ id: string }>('POST', '/tenants', { json: { name: 'Leaver' } }), 201);
    const traceId = newTrace();
    await server.api('DELETE', `/tenants/${id}`, { headers: { traceparent: traceparent(traceId) } });
    const request = await named(traceId, /^DELETE \/api\/v1\/tenants\/:id$/);
    const job = await named(traceId, /^job remove-files$/);
    expect(of(traceId).map(({ spanId }) => spanId)).toContain(job.parentSpanId);
    expect(attributes(job)['carcosa.job']).toBe('remove-files');
    const own = await until(() => of(traceId).find(({ parentSpanId }) => parentSpanId === job.spanId));
    expect([own.name.startsWith('db '), request.parentSpanId]).toEqual([true, PARENT]);
  });

  it('a webhook carries the trace on', async () => {
    const receiver = await WebhookReceiver.open();
    try {
      const { id } = expectData(
        await server.api<{ id: string }>('POST', '/webhooks', {
          json: { url: receiver.url, events: ['webhook.test'] },
        }),
        201,
      );
      const traceId = newTrace();
      const headers = { traceparent: traceparent(traceId) };
      expectData(await server.api('POST', `/webhooks/${id}/test`, { headers }));
      const span = await named(traceId, /^webhook POST$/);
      expect(receiver.received[0]?.headers.traceparent).toBe(`00-${traceId}-${span.spanId}-01`);
    } finally {
      await receiver.close();
    }
  });

  it('lines of the log name the trace', async () => {
    const traceId = newTrace();
    await server.api('GET', '/files/file_missing', { headers: { traceparent: traceparent(traceId) } });
    await until(() => server.logs.includes(`"traceId":"${traceId}"`), { what: 'the line' });
  });

  it.each([
    'x',
    `00-${'0'.repeat(32)}-${PARENT}-01`,
    `ff-${'1'.repeat(32)}-${PARENT}-01`,
    `00-${'1'.repeat(32)}-${'0'.repeat(16)}-01`,
    `00-${'G'.repeat(32)}-${PARENT}-01`,
  ])('a traceparent that is not whole begins a new trace: %s', async (given) => {
    const requestId = `traced-${newTrace()}`;
    await server.api('GET', '/files', { headers: { traceparent: given, 'x-request-id': requestId } });
    const span = await until(() =>
      collector.spans.find((each) => attributes(each)['carcosa.request_id'] === requestId),
    );
    expect(span.parentSpanId ?? '').toBe('');
    expect(span.traceId).not.toMatch(/^(0+|1+)$/);
  });

  it('what a client asks not to be traced is not', async () => {
    const traceId = newTrace();
    await server.api('GET', '/files', { headers: { traceparent: `00-${traceId}-${PARENT}-00` } });
    const next = newTrace();
    await server.api('GET', '/files', { headers: { traceparent: traceparent(next) } });
    await named(next, /^GET/);
    expect(of(traceId)).toEqual([]);
  });
});

it('a collector that is away costs requests nothing, and does not hold up the stop', async () => {
  const own = await startServer({ env: { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' } });
  try {
    expect((await own.api('POST', '/files', { query: { path: 'x' }, body: 'x' })).status).toBe(201);
    expect(await own.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  } finally {
    await own.stop();
  }
});
