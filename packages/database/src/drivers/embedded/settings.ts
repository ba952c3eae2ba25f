import type { PostgresInstallation } from './installation.ts';

/** Connections that a server accepts: one or two pools of ours, pg-boss, listeners and a person with psql. */
export const MAX_CONNECTIONS = 60;

/** The part of a socket's name; nothing listens on that port of the network. */
export const SOCKET_PORT = 5432;

/**
 * The settings of the server. Given on the command line, they hold whatever stands in postgresql.conf, and a new version
 * of Carcosa changes them for every cluster.
 */
export function serverSettings(
  installation: PostgresInstallation,
  socketDirectory: string,
): Record<string, string | number> {
  return {
    listen_addresses: '',
    // A list of paths; quoted, a path may hold commas and blanks.
    unix_socket_directories: `"${socketDirectory.replaceAll('"', '""')}"`,
    unix_socket_permissions: '0700',
    port: SOCKET_PORT,
    max_connections: MAX_CONNECTIONS,
    cluster_name: 'carcosa',
    timezone: 'UTC',
    log_timezone: 'UTC',
    ...DURABILITY,
    ...MEMORY,
    ...LOG,
    ...(installation.major >= 18 ? { io_method: 'sync' } : {}),
    ...(process.platform === 'darwin' ? { wal_sync_method: 'fsync_writethrough' } : {}),
  };
}

/** A commit that was acknowledged survives a power cut. fsync_writethrough (above): macOS' fsync stops at the drive's cache. */
const DURABILITY = {
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  // No replica reads this log, so it carries only what a recovery needs.
  wal_level: 'minimal',
  max_wal_senders: 0,
  wal_buffers: '4MB',
  min_wal_size: '128MB',
  max_wal_size: '512MB',
  checkpoint_timeout: '10min',
};

/**
 * Small: many short queries of few rows. Each helper process that is not started saves 3 to 5 MB: no parallel workers, no
 * replication launcher, no I/O workers (io_method above).
 */
const MEMORY = {
  shared_buffers: '32MB',
  work_mem: '4MB',
  maintenance_work_mem: '32MB',
  effective_cache_size: '512MB',
  random_page_cost: 1.1,
  autovacuum_max_workers: 1,
  max_worker_processes: 0,
  max_parallel_workers: 0,
  max_parallel_workers_per_gather: 0,
  max_parallel_maintenance_workers: 0,
  max_logical_replication_workers: 0,
  jit: 'off',
  huge_pages: 'off',
};

/** Starts, stops and faults of the server. An error of one statement is its caller's, who gets and logs it. */
const LOG = {
  logging_collector: 'off',
  log_destination: 'stderr',
  log_line_prefix: '%m [%p] ',
  log_min_messages: 'log',
  log_checkpoints: 'off',
};

/** As the programs take them: `-c`, `name=value`. */
export function settingArguments(settings: Readonly<Record<string, string | number>>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}
