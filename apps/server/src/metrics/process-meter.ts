import { statfs } from 'node:fs/promises';
import { constants, monitorEventLoopDelay, PerformanceObserver, performance } from 'node:perf_hooks';
import type { Exposition } from './exposition.ts';

/** Milliseconds between two looks at how late timers are. */
const LAG_RESOLUTION = 20;
const GC_KINDS: Record<number, string> = {
  [constants.NODE_PERFORMANCE_GC_MINOR]: 'minor',
  [constants.NODE_PERFORMANCE_GC_MAJOR]: 'major',
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 'incremental',
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: 'weak-callbacks',
};

/** What the process itself uses. Lag and collections are watched from the first question on: servers that nobody asks do not pay. */
export class ProcessMeter {
  readonly #pauses = new Map(Object.values(GC_KINDS).map((kind) => [kind, { count: 0, milliseconds: 0 }]));
  readonly #lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION });
  readonly #observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { duration, detail } = entry as typeof entry & { detail: { kind: number } };
      const pauses = this.#pauses.get(GC_KINDS[detail.kind] ?? '');
      if (!pauses) continue;
      pauses.count += 1;
      pauses.milliseconds += duration;
    }
  });

  constructor() {
    this.#lag.enable();
    this.#observer.observe({ entryTypes: ['gc'] });
  }

  write(out: Exposition): void {
    for (const [kind, { count, milliseconds }] of this.#pauses) {
      out.add('carcosa_gc_pauses_total', count, kind);
      out.add('carcosa_gc_pause_seconds_total', milliseconds / 1000, kind);
    }
    this.#writeLag(out);
    const { rss, heapUsed, heapTotal, external } = process.memoryUsage();
    out.add('process_resident_memory_bytes', rss);
    out.add('carcosa_heap_used_bytes', heapUsed);
    out.add('carcosa_heap_size_bytes', heapTotal);
    out.add('carcosa_external_memory_bytes', external);
    const { user, system } = process.cpuUsage();
    out.add('process_cpu_seconds_total', (user + system) / 1e6);
    out.add('process_start_time_seconds', performance.timeOrigin / 1000);
    out.add('carcosa_uptime_seconds', process.uptime());
  }

  #writeLag(out: Exposition): void {
    // The monitor tells the whole interval; what is above its resolution is lag.
    const seconds = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e9 - LAG_RESOLUTION / 1000);
    const hasAny = this.#lag.count > 0;
    for (const percentile of [50, 99, 100])
      out.add(
        'carcosa_event_loop_lag_seconds',
        hasAny ? seconds(this.#lag.percentile(percentile)) : 0,
        String(percentile),
      );
    this.#lag.reset();
    out.add('carcosa_event_loop_active_seconds_total', performance.eventLoopUtilization().active / 1000);
  }

  /** Ends what watches. */
  close(): void {
    this.#lag.disable();
    this.#observer.disconnect();
  }
}

export interface Disk {
  /** Bytes that this process may still write. */
  free: number;
  size: number;
}

/** @throws Error of the system when the directory is gone */
export async function diskOf(directory: string): Promise<Disk> {
  const { bavail, blocks, bsize } = await statfs(directory);
  return { free: bavail * bsize, size: blocks * bsize };
}
