import type { Logger } from '@carcosa/kernel';
import { destination, pino, stdSerializers, stdTimeFunctions } from 'pino';
import type { LogLevel } from '../config.ts';

const SECRETS = ['authorization', 'cookie', 'set-cookie', 'x-api-key', 'apiKey', 'secret', 'password', 'token', 'signature', 'connectionString'];

/** Paths at the top and one level below, which is as deep as we log. */
const REDACTED = SECRETS.flatMap((name) => [`["${name}"]`, `*["${name}"]`]);

/**
 * The program's log: JSON lines on standard error, so that standard output stays for people. No secret is ever logged on
 * purpose; what slips in under a telling name is masked.
 */
export function createLogger(level: LogLevel): Logger & { isLevelEnabled(level: string): boolean } {
  return pino(
    {
      level,
      base: null,
      redact: { paths: REDACTED, censor: '[secret]' },
      serializers: { err: stdSerializers.err, error: stdSerializers.err },
      formatters: { level: (label) => ({ level: label }) },
      timestamp: stdTimeFunctions.isoTime,
    },
    destination({ fd: 2, sync: true }),
  );
}
