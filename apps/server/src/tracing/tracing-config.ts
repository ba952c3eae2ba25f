import { type Environment, readConfig } from '@carcosa/kernel';
import { z } from 'zod';

const SAMPLERS = ['always_on', 'always_off', 'traceidratio'] as const;
const SAMPLER_NAMES = [...SAMPLERS, ...SAMPLERS.map((name) => `parentbased_${name}` as const)] as const;

const address = z.url({ protocol: /^https?$/ }).describe('an http or https address such as http://127.0.0.1:4318');

/** The variables of OpenTelemetry that we read ourselves; headers, time-outs and compression are read by the exporter. */
const TRACING_SHAPE = {
  OTEL_SDK_DISABLED: z.string().optional(),
  OTEL_TRACES_EXPORTER: z.enum(['otlp', 'none']).default('otlp').describe('"otlp" or "none"'),
  OTEL_EXPORTER_OTLP_ENDPOINT: address.optional(),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: address.optional(),
  OTEL_EXPORTER_OTLP_PROTOCOL: z
    .enum(['http/json', 'http/protobuf'])
    .optional()
    .describe('"http/json": no other is spoken'),
  OTEL_SERVICE_NAME: z.string().min(1).default('carcosa').describe('a name'),
  OTEL_RESOURCE_ATTRIBUTES: z.string().default('').describe('name=value pairs separated by commas'),
  OTEL_TRACES_SAMPLER: z
    .enum(SAMPLER_NAMES)
    .default('parentbased_always_on')
    .describe(`one of ${SAMPLER_NAMES.join(', ')}`),
  OTEL_TRACES_SAMPLER_ARG: z.coerce.number().min(0).max(1).default(1).describe('a share from 0 to 1'),
  OTEL_BSP_SCHEDULE_DELAY: z.coerce.number().int().min(1).max(600_000).default(5000).describe('milliseconds'),
};

export interface TracingSettings {
  /** Where traces go. */
  url: string;
  serviceName: string;
  attributes: Record<string, string>;
  sampler: { name: (typeof SAMPLERS)[number]; followsParent: boolean; ratio: number };
  /** Milliseconds between two deliveries. */
  delayMs: number;
}

/** Undefined: nobody traces. */
export function readTracingSettings(environment: Environment): TracingSettings | undefined {
  const variables = readConfig(TRACING_SHAPE, environment);
  const { OTEL_EXPORTER_OTLP_ENDPOINT: base, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: own } = variables;
  const isOff = variables.OTEL_SDK_DISABLED?.toLowerCase() === 'true' || variables.OTEL_TRACES_EXPORTER === 'none';
  const url = own ?? (base && `${base.replace(/\/+$/, '')}/v1/traces`);
  if (isOff || url === undefined) return undefined;
  const sampler = variables.OTEL_TRACES_SAMPLER;
  return {
    url,
    serviceName: variables.OTEL_SERVICE_NAME,
    attributes: pairs(variables.OTEL_RESOURCE_ATTRIBUTES),
    sampler: {
      name: sampler.replace('parentbased_', '') as (typeof SAMPLERS)[number],
      followsParent: sampler.startsWith('parentbased_'),
      ratio: variables.OTEL_TRACES_SAMPLER_ARG,
    },
    delayMs: variables.OTEL_BSP_SCHEDULE_DELAY,
  };
}

/** As in `deployment.environment=production,host.name=a`; what is not a pair is left out. */
function pairs(text: string): Record<string, string> {
  return Object.fromEntries(
    text.split(',').flatMap((item) => {
      const [, name, value] = /^\s*([^=\s]+)\s*=\s*(.*?)\s*$/.exec(item) ?? [];
      return name === undefined || value === undefined ? [] : [[name, decoded(value)]];
    }),
  );
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
