import type { Queryable } from '@carcosa/database';
import type { BucketOpeners } from '@carcosa/domain';
import type { SpanAttributes, Tracing } from '@carcosa/kernel';
import type { ObjectStore, StagedObject } from '@carcosa/storage/port';

const STORE_METHODS: ReadonlySet<PropertyKey> = new Set([
  'stage',
  'resume',
  'discard',
  'read',
  'stat',
  'delete',
  'copy',
]);
/** What can be had beside them, as far as it goes to the provider. */
const CAPABILITIES: ReadonlySet<PropertyKey> = new Set(['whole', 'presign', 'parts', 'diagnosis']);
/** Not `append`: it is called for every chunk. */
const STAGED_METHODS: ReadonlySet<PropertyKey> = new Set(['sync', 'truncate', 'sha256', 'commit']);

/** Makes a span of each statement, by its name, or by its verb where it has none. Statements carry no values, so that they can be told. */
export function tracedQueryable(db: Queryable, tracing: Tracing): Queryable {
  return {
    query: (statement, values) => {
      const { name, text } = typeof statement === 'string' ? { name: undefined, text: statement } : statement;
      const verb = /^\s*(?:--[^\n]*\n\s*)*(\w+)/.exec(text)?.[1]?.toLowerCase() ?? 'query';
      const attributes = {
        'db.system.name': 'postgresql',
        'db.operation.name': verb,
        'db.query.summary': name ?? verb,
      };
      return tracing.span(`db ${name ?? verb}`, { kind: 'client', attributes }, () => db.query(statement, values));
    },
  };
}

/** Makes a span of whatever is asked of a bucket. */
export function tracedOpeners(openers: BucketOpeners, tracing: Tracing): BucketOpeners {
  return Object.fromEntries(
    Object.entries(openers).map(([provider, open]) => [
      provider,
      async (bucket: Parameters<typeof open>[0]) => tracedStore(await open(bucket), tracing),
    ]),
  ) as unknown as BucketOpeners;
}

function tracedStore(store: ObjectStore, tracing: Tracing): ObjectStore {
  const attributes = { 'carcosa.storage.provider': store.provider };
  const capabilities = new Map<PropertyKey, unknown>();
  return traced(store, { tracing, attributes, prefix: 'storage', methods: STORE_METHODS }, (name, value) => {
    if (!CAPABILITIES.has(name) || typeof value !== 'object' || value === null) return value;
    const known = capabilities.get(name) ?? traced(value, { tracing, attributes, prefix: `storage ${String(name)}` });
    capabilities.set(name, known);
    return known;
  });
}

const tracedStaged = (staged: StagedObject, tracing: Tracing, attributes: SpanAttributes): StagedObject =>
  traced(staged, { tracing, attributes, prefix: 'storage staged', methods: STAGED_METHODS });

interface TraceOptions {
  tracing: Tracing;
  attributes: SpanAttributes;
  prefix: string;
  /** Absent: all. */
  methods?: ReadonlySet<PropertyKey>;
}

/** The same object, whose methods make spans. They run on the object itself, so that its private fields are there. */
function traced<Target extends object>(
  target: Target,
  options: TraceOptions,
  other: (name: PropertyKey, value: unknown) => unknown = (_name, value) => value,
): Target {
  const { tracing, attributes, prefix, methods } = options;
  const made = new Map<PropertyKey, { of: unknown; call: unknown }>();
  return new Proxy(target, {
    get: (_target, name) => {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return other(name, value);
      const known = made.get(name);
      if (known?.of === value) return known.call;
      const call = (...args: unknown[]): unknown => {
        const work = (): unknown => value.apply(target, args);
        if (methods && !methods.has(name)) return work();
        const result = tracing.span(`${prefix} ${String(name)}`, { kind: 'client', attributes }, work);
        if (name !== 'stage' && name !== 'resume') return result;
        return (result as Promise<StagedObject>).then((staged) => tracedStaged(staged, tracing, attributes));
      };
      made.set(name, { of: value, call });
      return call;
    },
  });
}
