import { type Queryable, saveNodeSample } from '@carcosa/database';
import type { Clock, Logger } from '@carcosa/kernel';
import type { HttpMeter } from './http-meter.ts';
import { diskOf } from './process-meter.ts';

/** Milliseconds between two samples. */
const EVERY_MS = 30_000;
/** Milliseconds for which samples are kept. */
const KEPT_MS = 60 * 60_000;
const SERVER_ERRORS = 5;

export interface NodeSamplerParts {
  db: Queryable;
  clock: Clock;
  logger: Logger;
  /** Names this process. */
  instance: string;
  dataDir: string;
  http: HttpMeter;
}

/** Tells the database what this process has seen, so that whichever node evaluates alarms knows of all of them. */
export class NodeSampler {
  readonly #parts: NodeSamplerParts;
  readonly #timer: NodeJS.Timeout;
  #before = { requests: 0, failures: 0 };

  constructor(parts: NodeSamplerParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => void this.sample(), EVERY_MS).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Writes down what happened since the sample before. What cannot be written is part of the next one. */
  async sample(): Promise<void> {
    const { db, clock, logger, instance, dataDir, http } = this.#parts;
    const counted = countsOf(http);
    const now = clock.now();
    const disk = await diskOf(dataDir).catch(() => null);
    const sample = {
      ...{ instance, at: new Date(now), diskFree: disk && (100 * disk.free) / disk.size },
      requests: counted.requests - this.#before.requests,
      failures: counted.failures - this.#before.failures,
    };
    try {
      await saveNodeSample(db, sample, new Date(now - KEPT_MS));
      this.#before = counted;
    } catch (error) {
      logger.debug({ err: error }, 'a sample for the alarms could not be written');
    }
  }
}

function countsOf({ routes }: HttpMeter): { requests: number; failures: number } {
  const total = { requests: 0, failures: 0 };
  for (const series of routes.values())
    for (const { byStatus } of series.values()) {
      total.requests += byStatus.reduce((sum, count) => sum + count, 0);
      total.failures += byStatus[SERVER_ERRORS] ?? 0;
    }
  return total;
}
