import type { Database } from '@carcosa/database';
import type { AddressBlocks, RateLimiter, RefusalLog, TransformService, UploadTally } from '@carcosa/domain';
import type { Clock, Histogram, Lookups } from '@carcosa/kernel';
import type { JobCount, JobQueue } from '@carcosa/queue';
import type { HealthService } from '../health.ts';
import { DELIVERIES, type DownloadTally } from '../http/serving/download-tally.ts';
import { type LoadGuard, SHED_REASONS, WORKS } from '../load/load-guard.ts';
import { Exposition } from './exposition.ts';
import type { HttpMeter } from './http-meter.ts';
import { diskOf, ProcessMeter } from './process-meter.ts';

/** Milliseconds for which a count of the jobs' table is good, however many ask. */
const JOBS_FOR_MS = 15_000;
const WAITING_STATES: ReadonlySet<string> = new Set(['created', 'retry']);
const STATUS_CLASSES = ['aborted', '1xx', '2xx', '3xx', '4xx', '5xx'];
const DOORS = ['simple', 'tus', 'direct', 'signed'] as const;

export interface MetricsParts {
  version: string;
  dataDir: string;
  clock: Clock;
  database: Pick<Database, 'pool' | 'use' | 'kind'>;
  queue: Pick<JobQueue, 'counts' | 'tallies'>;
  health: Pick<HealthService, 'serves'>;
  http: HttpMeter;
  load: LoadGuard;
  downloads: DownloadTally;
  uploads: UploadTally;
  transforms: Pick<TransformService, 'statistics'>;
  limiter: RateLimiter;
  blocks: AddressBlocks;
  refusals: RefusalLog;
  /** By the name that their label has. */
  groups: Readonly<Record<string, Histogram>>;
  caches: Readonly<Record<string, { readonly lookups: Readonly<Lookups> }>>;
}

/** Reads what the parts of the program have counted, when somebody asks. */
export class MetricsService {
  readonly #parts: MetricsParts;
  #process: ProcessMeter | undefined;
  #jobs: Promise<JobCount[]> = Promise.resolve([]);
  #jobsUntil = Number.NEGATIVE_INFINITY;

  constructor(parts: MetricsParts) {
    this.#parts = parts;
  }

  /** All metrics in the text format of Prometheus. What cannot be read now, such as the jobs of a database that is away, is left out. */
  async scrape(): Promise<string> {
    const out = new Exposition();
    this.#process ??= new ProcessMeter();
    this.#writeHttp(out);
    this.#writeFiles(out);
    this.#writeTransforms(out);
    this.#writeDatabase(out);
    this.#writeGuards(out);
    this.#process.write(out);
    await Promise.all([this.#writeJobs(out), this.#writeState(out), this.#writeDisk(out)]);
    return out.toString();
  }

  close(): void {
    this.#process?.close();
  }

  #writeHttp(out: Exposition): void {
    const { http } = this.#parts;
    for (const [route, series] of http.routes) {
      for (const [method, { byStatus, duration }] of series) {
        for (const [status, count] of byStatus.entries()) {
          if (count > 0) out.add('carcosa_http_requests_total', count, method, route, STATUS_CLASSES[status] ?? '');
        }
        out.addHistogram('carcosa_http_request_duration_seconds', duration, method, route);
      }
    }
    const { connections, received, sent } = http.traffic();
    out.add('carcosa_http_requests_in_flight', http.inFlight);
    out.add('carcosa_http_connections', connections);
    out.add('carcosa_http_received_bytes_total', received);
    out.add('carcosa_http_sent_bytes_total', sent);
    for (const [code, count] of http.errors) out.add('carcosa_error_answers_total', count, code);
  }

  #writeFiles(out: Exposition): void {
    const { uploads, downloads, groups, caches } = this.#parts;
    for (const door of DOORS) {
      out.add('carcosa_uploads_total', uploads.completed[door], door, 'completed');
      out.add('carcosa_uploads_total', uploads.aborted[door], door, 'aborted');
      out.add('carcosa_upload_bytes_total', uploads.bytes[door], door);
    }
    for (const delivery of DELIVERIES) {
      out.add('carcosa_downloads_total', downloads.answers[delivery], delivery);
      out.add('carcosa_download_bytes_total', downloads.bytes[delivery], delivery);
    }
    for (const [group, sizes] of Object.entries(groups)) out.addHistogram('carcosa_group_commit_items', sizes, group);
    for (const [cache, { lookups }] of Object.entries(caches)) {
      out.add('carcosa_cache_lookups_total', lookups.hits, cache, 'hit');
      out.add('carcosa_cache_lookups_total', lookups.misses, cache, 'miss');
    }
  }

  #writeTransforms(out: Exposition): void {
    const { hits, misses, failed, reduced, cache, processes } = this.#parts.transforms.statistics;
    for (const [place, count] of Object.entries(hits)) out.add('carcosa_transforms_total', count, place);
    out.add('carcosa_transforms_total', misses - failed, 'made');
    out.add('carcosa_transforms_total', failed, 'failed');
    out.add('carcosa_transform_copies_total', reduced.made, 'made');
    out.add('carcosa_transform_copies_total', reduced.used, 'used');
    out.add('carcosa_transform_cache_entries', cache.entries);
    out.add('carcosa_transform_cache_bytes', cache.bytes, 'disk');
    out.add('carcosa_transform_cache_bytes', cache.memoryBytes, 'memory');
    out.add('carcosa_transform_cache_removals_total', cache.evicted, 'evicted');
    out.add('carcosa_transform_cache_removals_total', cache.purged, 'purged');
    out.add('carcosa_transform_processes', processes.working, 'working');
    out.add('carcosa_transform_processes', processes.waiting, 'waiting');
    out.add('carcosa_transform_refusals_total', processes.refused);
    for (const [reason, count] of Object.entries(processes.ended))
      out.add('carcosa_transform_process_ends_total', count, reason);
  }

  #writeDatabase(out: Exposition): void {
    const { pool, use } = this.#parts.database;
    out.add('carcosa_database_connections', pool.totalCount, 'total');
    out.add('carcosa_database_connections', pool.idleCount, 'idle');
    out.add('carcosa_database_waiting', pool.waitingCount);
    out.addHistogram('carcosa_database_use_seconds', use);
  }

  #writeGuards(out: Exposition): void {
    const { limiter, blocks, refusals, load } = this.#parts;
    for (const work of WORKS) {
      out.add('carcosa_work_in_flight', load.inFlight[work], work);
      for (const reason of SHED_REASONS) out.add('carcosa_work_shed_total', load.shed[work][reason], work, reason);
    }
    out.add('carcosa_memory_limit_bytes', load.limits.memory);
    out.add('carcosa_shedding', load.pressure === null ? 0 : 1);
    for (const [tier, { allowed, refused }] of Object.entries(limiter.decided)) {
      out.add('carcosa_rate_limit_decisions_total', allowed, tier, 'allowed');
      out.add('carcosa_rate_limit_decisions_total', refused, tier, 'refused');
    }
    out.add('carcosa_address_blocks_total', blocks.begun);
    out.add('carcosa_addresses_blocked', blocks.list().length);
    out.add('carcosa_refusals_total', refusals.tally.noted);
    out.add('carcosa_refusal_entries_total', refusals.tally.written);
  }

  async #writeJobs(out: Exposition): Promise<void> {
    for (const [job, { done, failed, milliseconds }] of this.#parts.queue.tallies) {
      out.add('carcosa_job_attempts_total', done, job, 'done');
      out.add('carcosa_job_attempts_total', failed, job, 'failed');
      out.add('carcosa_job_seconds_total', milliseconds / 1000, job);
    }
    const counts = await this.#countJobs().catch(() => null);
    if (counts === null) return;
    for (const { name, state, count } of counts) out.add('carcosa_jobs', count, name, state);
    const waiting = counts.filter(({ name, state }) => WAITING_STATES.has(state) && name !== 'dead-letters');
    out.add(
      'carcosa_queue_depth',
      waiting.reduce((sum, { count }) => sum + count, 0),
    );
  }

  #countJobs(): Promise<JobCount[]> {
    const now = this.#parts.clock.now();
    if (now >= this.#jobsUntil) {
      this.#jobsUntil = now + JOBS_FOR_MS;
      this.#jobs = this.#parts.queue.counts();
    }
    return this.#jobs;
  }

  async #writeState(out: Exposition): Promise<void> {
    const { version, database, health } = this.#parts;
    out.add('carcosa_build_info', 1, version, process.version, database.kind);
    out.add('carcosa_ready', (await health.serves()) ? 1 : 0);
  }

  async #writeDisk(out: Exposition): Promise<void> {
    const disk = await diskOf(this.#parts.dataDir).catch(() => null);
    if (disk === null) return;
    out.add('carcosa_disk_free_bytes', disk.free);
    out.add('carcosa_disk_size_bytes', disk.size);
  }
}
