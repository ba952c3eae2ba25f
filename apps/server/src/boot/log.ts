import { type Logger, noTracing, type Tracing } from '@carcosa/kernel';
import { type DestinationStream, destination, pino, stdTimeFunctions } from 'pino';
import type { LogLevel } from '../config.ts';

const SECRETS = [
  'authorization',
  'cookie',
  'set-cookie',
  'x-api-key',
  'apiKey',
  'secret',
  'password',
  'token',
  'signature',
  'connectionString',
];

/** At the top and one level below, which is as deep as we log. */
const REDACTED = SECRETS.flatMap((name) => [`["${name}"]`, `*["${name}"]`]);

/** Causes of causes that are followed. */
const MAX_CAUSES = 4;

/**
 * The program's log: JSON lines on standard error, so that standard output stays for people. No secret is ever logged on
 * purpose; what slips in under a telling name is masked.
 * @param to default: standard error, in order and at once, also when the process is about to end
 * @param tracing whose trace each line belongs to
 */
export function createLogger(
  level: LogLevel,
  to: DestinationStream = destination({ fd: 2, sync: true }),
  tracing: Tracing = noTracing,
): Logger & { isLevelEnabled(level: string): boolean } {
  return pino(
    {
      level,
      base: null,
      ...(tracing.isOn && { mixin: () => tracing.ids() ?? {} }),
      redact: { paths: REDACTED, censor: '[secret]' },
      serializers: { err: (error) => describeError(error), error: (error) => describeError(error) },
      formatters: { level: (label) => ({ level: label }) },
      timestamp: stdTimeFunctions.isoTime,
    },
    to,
  );
}

/** What helps to find a fault, and no more: errors of drivers hold whole connections, with their passwords. */
function describeError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return error;
  const { name, message, stack, cause } = error;
  const code = 'code' in error ? error.code : undefined;
  return {
    type: name,
    ...(code === undefined ? {} : { code }),
    message,
    stack,
    ...(cause === undefined || depth >= MAX_CAUSES ? {} : { cause: describeError(cause, depth + 1) }),
  };
}
