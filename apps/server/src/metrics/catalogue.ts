/** What one metric means, and by what its values are told apart. */
export interface MetricDefinition {
  type: 'counter' | 'gauge' | 'histogram';
  labels: readonly string[];
  /** One sentence, with the unit where the name does not say it. */
  help: string;
}

const counter = (help: string, ...labels: string[]): MetricDefinition => ({ type: 'counter', labels, help });
const gauge = (help: string, ...labels: string[]): MetricDefinition => ({ type: 'gauge', labels, help });
const histogram = (help: string, ...labels: string[]): MetricDefinition => ({ type: 'histogram', labels, help });

const HTTP = {
  carcosa_http_requests_total: counter(
    'Requests that ended; route is the pattern of the address, "(none)" before or without a route; status is the class, "aborted" where the client left before the end.',
    ...['method', 'route', 'status'],
  ),
  carcosa_http_request_duration_seconds: histogram(
    'Time from the head of a request to the end of its answer, or until the client left.',
    ...['method', 'route'],
  ),
  carcosa_http_requests_in_flight: gauge('Requests under way, this one among them.'),
  carcosa_http_connections: gauge('Open connections of clients.'),
  carcosa_http_received_bytes_total: counter('Bytes that came from clients, heads included.'),
  carcosa_http_sent_bytes_total: counter('Bytes that went to clients, heads included.'),
  carcosa_error_answers_total: counter('Error answers by their code of docs/errors.md.', 'code'),
};

const FILES = {
  carcosa_uploads_total: counter(
    'Uploads that ended here: filed (completed), or ended by their owner (aborted).',
    ...['door', 'outcome'],
  ),
  carcosa_upload_bytes_total: counter('Bytes of uploads that were completed here.', 'door'),
  carcosa_downloads_total: counter(
    'Answers for files, by what sent the bytes: us (whole, range), the provider (redirect), the proxy (handed-over), or nobody (not-modified, head).',
    'delivery',
  ),
  carcosa_download_bytes_total: counter('Bytes of files that answers announced, whoever sends them.', 'delivery'),
  carcosa_group_commit_items: histogram('Items that shared one transaction.', 'group'),
  carcosa_cache_lookups_total: counter('Look-ups in what this process remembers.', ...['cache', 'result']),
};

const TRANSFORMS = {
  carcosa_transforms_total: counter(
    "Pictures that were asked for, by where they came from: memory, disk, somebody else's request (shared), or made (made, failed).",
    'result',
  ),
  carcosa_transform_copies_total: counter('Smaller copies of originals that were made, and used.', 'event'),
  carcosa_transform_cache_entries: gauge('Results that are kept, copies among them.'),
  carcosa_transform_cache_bytes: gauge('Bytes of the results that are kept.', 'place'),
  carcosa_transform_cache_removals_total: counter(
    'Results that were removed: for room (evicted), or purged.',
    'reason',
  ),
  carcosa_transform_processes: gauge('Pictures that are being made, and that wait.', 'state'),
  carcosa_transform_refusals_total: counter('Pictures that could not wait.'),
  carcosa_transform_process_ends_total: counter('Processes that ended over a picture: time, memory, crash.', 'reason'),
};

const DATABASE = {
  carcosa_database_connections: gauge('Connections of the pool; those in use are total less idle.', 'state'),
  carcosa_database_waiting: gauge('Queries and transactions that wait for a connection of the pool.'),
  carcosa_database_use_seconds: histogram('Time that a query or transaction had a connection.'),
};

const JOBS = {
  carcosa_jobs: gauge(
    'Jobs in the database, by name and state; counted at most every 15 seconds.',
    ...['name', 'state'],
  ),
  carcosa_queue_depth: gauge('Jobs that wait to be done, retries included; counted at most every 15 seconds.'),
  carcosa_job_attempts_total: counter('Attempts at jobs that this process made.', ...['name', 'outcome']),
  carcosa_job_seconds_total: counter('Time that those attempts took.', 'name'),
};

const GUARDS = {
  carcosa_work_in_flight: gauge(
    'Expensive requests under way: those that bring bytes of uploads, and those for pictures.',
    'work',
  ),
  carcosa_work_shed_total: counter(
    'New expensive requests that were sent away with 503, because as many were under way as may be, because memory was short, or because the event loop was late.',
    ...['work', 'reason'],
  ),
  carcosa_shedding: gauge('1 while new expensive work is sent away because memory is short or the event loop late.'),
  carcosa_memory_limit_bytes: gauge('Resident memory from which on new expensive work is sent away.'),
  carcosa_rate_limit_decisions_total: counter('Requests that a rate limit counted.', ...['tier', 'decision']),
  carcosa_address_blocks_total: counter('Blocks of addresses that began here.'),
  carcosa_addresses_blocked: gauge('Addresses that are blocked now.'),
  carcosa_refusals_total: counter('Refusals that the audit log took note of.'),
  carcosa_refusal_entries_total: counter(
    'Audit entries that were written for refusals: many that are alike become one.',
  ),
};

const PROCESS = {
  carcosa_build_info: gauge('Always 1; its labels say what runs.', ...['version', 'node', 'database']),
  carcosa_ready: gauge('1 while requests are served and the database answers, else 0.'),
  carcosa_uptime_seconds: gauge('Time since the process began.'),
  carcosa_disk_free_bytes: gauge('What may still be written to the file system of the data directory.'),
  carcosa_disk_size_bytes: gauge('Size of the file system of the data directory.'),
  carcosa_event_loop_active_seconds_total: counter('Time that the event loop was busy.'),
  carcosa_event_loop_lag_seconds: gauge('How late timers were since the last time this was read.', 'percentile'),
  carcosa_gc_pauses_total: counter('Collections of garbage.', 'kind'),
  carcosa_gc_pause_seconds_total: counter('Time that collections of garbage took.', 'kind'),
  carcosa_heap_used_bytes: gauge('Memory of JavaScript in use.'),
  carcosa_heap_size_bytes: gauge('Memory of JavaScript that is reserved.'),
  carcosa_external_memory_bytes: gauge('Memory beside the heap, buffers included.'),
  process_cpu_seconds_total: counter('Processor time of the process, user and system.'),
  process_resident_memory_bytes: gauge('Resident memory of the process.'),
  process_start_time_seconds: gauge('When the process began, in seconds since the epoch.'),
};

/** Every metric there is. docs/metrics.md is made of it. */
export const METRICS = {
  ...HTTP,
  ...FILES,
  ...TRANSFORMS,
  ...DATABASE,
  ...JOBS,
  ...GUARDS,
  ...PROCESS,
} satisfies Record<string, MetricDefinition>;

export type MetricName = keyof typeof METRICS;
