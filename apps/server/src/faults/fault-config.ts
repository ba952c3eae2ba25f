import { type Environment, readConfig } from '@carcosa/kernel';
import { z } from 'zod';

const FAULT_SHAPE = {
  SENTRY_DSN: z
    .url({ protocol: /^https?$/ })
    .refine((text) => /^\/(?:.*\/)?\d+$/.test(URL.parse(text)?.pathname ?? '') && URL.parse(text)?.username !== '')
    .optional()
    .describe('an address such as https://key@sentry.example.com/42'),
  SENTRY_ENVIRONMENT: z.string().min(1).default('production').describe('a name'),
  SENTRY_RELEASE: z.string().min(1).optional().describe('a name'),
};

export interface FaultSettings {
  dsn: string;
  environment: string;
  /** Absent: the version of the program. */
  release: string | undefined;
}

/** Undefined: faults stand in the log alone. */
export function readFaultSettings(environment: Environment): FaultSettings | undefined {
  const { SENTRY_DSN: dsn, ...variables } = readConfig(FAULT_SHAPE, environment);
  if (dsn === undefined) return undefined;
  return { dsn, environment: variables.SENTRY_ENVIRONMENT, release: variables.SENTRY_RELEASE };
}
