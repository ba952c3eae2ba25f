import type { Logger } from '@carcosa/kernel';

/** Who is told of faults beside the log. */
export interface FaultReporter {
  /** What a line of the log at `error` says. Never throws. */
  report(fields: object, message: string): void;
  /** Hands on what is left, within seconds. */
  close(): Promise<void>;
}

/** The same log, whose lines at `error` are told to the reporter too: whoever logs a fault need not know of it. */
export function tellingFaults<Log extends Logger>(logger: Log, reporter: FaultReporter): Log {
  const error: Logger['error'] = (fields, message) => {
    logger.error(fields, message);
    try {
      reporter.report(fields, message);
    } catch (failure) {
      logger.warn({ err: failure }, 'a fault could not be told');
    }
  };
  return Object.assign(Object.create(logger) as Log, { error });
}
