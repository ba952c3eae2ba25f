import { AsyncLocalStorage } from 'node:async_hooks';
import { isCarcosaError, type OpenSpan, type SpanOptions, type Tracing } from '@carcosa/kernel';
import {
  type Context,
  isSpanContextValid,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { TracingSettings } from './tracing-config.ts';

/** Milliseconds that the last delivery gets when the process stops. */
const CLOSE_MS = 2_000;
/** Version 00 of W3C Trace Context; a later one may go on after the flags. */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const KINDS = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
} as const;

/** Traces by OpenTelemetry, sent over OTLP/HTTP. This module and what it imports are loaded only where somebody traces. */
export class OtelTracing implements Tracing {
  readonly isOn = true;
  readonly #provider: TracerProvider;
  readonly #tracer: Tracer;
  readonly #underWay = new AsyncLocalStorage<Context>();

  constructor(settings: TracingSettings, version: string) {
    const { url, serviceName, attributes, delayMs } = settings;
    const exporter = new OTLPTraceExporter({ url });
    this.#provider = new TracerProvider({
      sampler: samplerOf(settings),
      resource: resourceFromAttributes({ 'service.name': serviceName, 'service.version': version, ...attributes }),
      spanProcessors: [new BatchSpanProcessor({ exporter, scheduledDelayMillis: delayMs })],
    });
    this.#tracer = this.#provider.getTracer('carcosa', version);
  }

  open(name: string, { kind = 'internal', attributes = {}, parent }: SpanOptions = {}): OpenSpan {
    const context = remoteContext(parent) ?? this.#underWay.getStore() ?? ROOT_CONTEXT;
    const span = this.#tracer.startSpan(name, { kind: KINDS[kind], attributes }, context);
    const own = trace.setSpan(context, span);
    return {
      set: (more) => {
        for (const [key, value] of Object.entries(more)) if (value !== undefined) span.setAttribute(key, value);
      },
      fail: (error) => fail(span, error),
      end: () => span.end(),
      run: (work) => this.#underWay.run(own, work),
    };
  }

  span<Result>(name: string, options: SpanOptions, work: () => Result): Result {
    const span = this.open(name, options);
    const failed = (error: unknown): never => {
      span.fail(error);
      span.end();
      throw error;
    };
    let result: Result;
    try {
      result = span.run(work);
    } catch (error) {
      return failed(error);
    }
    if (!(result instanceof Promise)) {
      span.end();
      return result;
    }
    return result.then((value: unknown) => {
      span.end();
      return value;
    }, failed) as Result;
  }

  traceparent(): string | undefined {
    const context = this.#spanContext();
    if (!context) return undefined;
    return `00-${context.traceId}-${context.spanId}-${context.traceFlags.toString(16).padStart(2, '0')}`;
  }

  ids(): { traceId: string; spanId: string } | undefined {
    const context = this.#spanContext();
    return context && { traceId: context.traceId, spanId: context.spanId };
  }

  async close(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CLOSE_MS);
    });
    // A receiver that is away must not keep the process from stopping.
    await Promise.race([this.#provider.shutdown().catch(() => {}), late]).finally(() => clearTimeout(timer));
  }

  #spanContext() {
    const context = this.#underWay.getStore();
    return context && trace.getSpanContext(context);
  }
}

/** The code of an error of ours, or the name of another one: messages may carry what users chose. */
function fail(span: Span, error: unknown): void {
  span.setStatus({ code: SpanStatusCode.ERROR });
  if (error === undefined) return;
  span.setAttribute('error.type', isCarcosaError(error) ? error.code : error instanceof Error ? error.name : 'unknown');
}

function remoteContext(traceparent: string | undefined): Context | null {
  const [, traceId = '', spanId = '', flags = ''] = TRACEPARENT.exec(traceparent ?? '') ?? [];
  const remote = { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true };
  return isSpanContextValid(remote) ? trace.setSpanContext(ROOT_CONTEXT, remote) : null;
}

function samplerOf({ sampler: { name, followsParent, ratio } }: TracingSettings): Sampler {
  const own =
    name === 'traceidratio'
      ? new TraceIdRatioBasedSampler(ratio)
      : name === 'always_on'
        ? new AlwaysOnSampler()
        : new AlwaysOffSampler();
  return followsParent ? new ParentBasedSampler({ root: own }) : own;
}
