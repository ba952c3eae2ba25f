import type { Logger } from '@carcosa/kernel';

/**
 * Logs errors that nobody handled and goes on. Nearly all of them are a stream of one request that failed when nobody listened
 * any more; ending the process would cut off every other upload, and let whoever finds one such request stop the server.
 * What must not go on after a fault (a staged object after a failed sync, a lease that was lost) guards itself.
 */
export function surviveFaults(logger: Logger): void {
  process.on('uncaughtException', (err) => logger.error({ err }, 'an error that nobody handled'));
  process.on('unhandledRejection', (err) => logger.error({ err }, 'a rejection that nobody handled'));
}
