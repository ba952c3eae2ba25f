export type SpanAttributes = Readonly<Record<string, string | number | boolean | undefined>>;

export interface SpanOptions {
  kind?: 'internal' | 'server' | 'client' | 'producer' | 'consumer';
  /** Nothing of what users choose: names of routes, statements, jobs; codes; sizes. */
  attributes?: SpanAttributes;
  /** Who asked for it, elsewhere: `traceparent` of W3C Trace Context. Absent or not whole: it is part of what is under way here. */
  parent?: string | undefined;
}

/** A piece of work that takes a while. */
export interface OpenSpan {
  set(attributes: SpanAttributes): void;
  /** It did not go well. */
  fail(error?: unknown): void;
  end(): void;
  /** Runs `work`, and what it begins, as a part of this one. */
  run<Result>(work: () => Result): Result;
}

/** Tells a tracing system what is under way and what is part of what. */
export interface Tracing {
  readonly isOn: boolean;
  /** A piece of work that the caller ends. */
  open(name: string, options?: SpanOptions): OpenSpan;
  /** A piece of work that ends when `work` returns, or settles; errors go through it. */
  span<Result>(name: string, options: SpanOptions, work: () => Result): Result;
  /** `traceparent` (W3C Trace Context) of what is under way; undefined when nothing is. */
  traceparent(): string | undefined;
  /** Of what is under way, for a line of the log. */
  ids(): { traceId: string; spanId: string } | undefined;
  /** Hands on what is left, within seconds. */
  close(): Promise<void>;
}

const noSpan: OpenSpan = { set: () => {}, fail: () => {}, end: () => {}, run: (work) => work() };

/** Where nobody traces. */
export const noTracing: Tracing = {
  isOn: false,
  open: () => noSpan,
  span: (_name, _options, work) => work(),
  traceparent: () => undefined,
  ids: () => undefined,
  close: async () => {},
};
