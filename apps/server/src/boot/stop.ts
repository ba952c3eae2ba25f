import type { Carcosa } from '../compose.ts';
import type { Listener } from '../http/listener.ts';

/** Milliseconds that requests get to end; then uploads save what they have. */
const DRAIN_MS = 9_000;
/** Milliseconds until whatever is left is cut. */
const CUT_MS = 10_000;

export interface StopParts {
  carcosa: Carcosa;
  listener: Listener;
}

/**
 * Milliseconds within which a further signal is the same one: at Ctrl-C the terminal sends one to every process in the
 * foreground, and npm hands on its own.
 */
const SAME_SIGNAL_MS = 1_000;

/** Makes SIGTERM and SIGINT end the process: the first drains and exits with 0, a later one exits at once. */
export function stopOnSignals(parts: StopParts): void {
  let stoppingSince: number | null = null;
  const onSignal = (): void => {
    if (stoppingSince !== null) {
      if (performance.now() - stoppingSince > SAME_SIGNAL_MS) process.exit(1);
      return;
    }
    stoppingSince = performance.now();
    stop(parts).then(
      () => process.exit(0),
      (error: unknown) => {
        parts.carcosa.logger.error({ err: error }, 'the stop did not go well');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
}

async function stop({ carcosa, listener }: StopParts): Promise<void> {
  carcosa.health.setReady(false);
  // Who waits for others would hold the drain up.
  carcosa.announcements.close();
  const saving = setTimeout(() => void carcosa.leases.close(), DRAIN_MS);
  // Beside the requests, not after them: both have to be over before whoever stops us loses patience.
  const working = carcosa.queue.stopWorking();
  await listener.drain(AbortSignal.timeout(CUT_MS));
  clearTimeout(saving);
  await working;
  await carcosa.close();
}
