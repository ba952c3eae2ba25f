import { isUnclaimed } from '@carcosa/domain';
import { IdGenerator, isCarcosaError, type Logger, noTracing, systemClock, type Tracing } from '@carcosa/kernel';
import { type Carcosa, compose } from '../compose.ts';
import { readServerConfig, type ServerConfig } from '../config.ts';
import { defaultBucket } from '../default-bucket.ts';
import { type FaultReporter, tellingFaults } from '../faults/fault-reporter.ts';
import { buildApp } from '../http/app.ts';
import { Listener } from '../http/listener.ts';
import { VERSION } from '../version.ts';
import { jobHandlers } from '../workers/job-handlers.ts';
import { prepareDataDirectory } from './data-directory.ts';
import { surviveFaults } from './faults.ts';
import { explainFailure } from './known-causes.ts';
import { readLocalJson, writeLocalJson } from './local-json.ts';
import { createLogger } from './log.ts';
import { announceReady, Progress } from './messages.ts';
import { rootSecret } from './secret.ts';
import { stopOnSignals } from './stop.ts';

/** Brings the server up, or ends the process with exit code 1 and one line that says why it could not. */
export async function start(): Promise<void> {
  let address = { host: '127.0.0.1', port: 0 };
  try {
    const config = readServerConfig();
    address = config;
    await bringUp(config);
  } catch (error) {
    const line = explainFailure(error, address);
    if (line) process.stderr.write(`Carcosa cannot start: ${line}\n`);
    else
      process.stderr.write(
        `Carcosa cannot start, for a reason that is a fault of its own:\n${(error as Error).stack}\n`,
      );
    process.exit(1);
  }
}

async function bringUp(config: ServerConfig): Promise<void> {
  const progress = new Progress();
  const tracing = await openTracing(config.tracing);
  const log = createLogger(config.logLevel ?? (process.stderr.isTTY ? 'warn' : 'info'), undefined, tracing);
  const reporter = await openReporter(config.faults);
  const logger = reporter ? tellingFaults(log, reporter) : log;
  const requestLog = logger.isLevelEnabled('debug') ? logger : null;
  await prepareDataDirectory(config.dataDir);
  const listener = new Listener({ clock: systemClock, ids: new IdGenerator() });
  const port = await listener.listen(config.host, config.port);
  const url = `http://${hostForUrl(config.host)}:${port}`;
  const publicUrl = config.publicUrl ?? url;
  const secret = await rootSecret(config.secret, config.dataDir);
  const carcosa = await compose({
    config,
    logger,
    requestLog,
    secret,
    publicUrl,
    version: VERSION,
    tracing,
    ...(reporter && { reporter }),
    progress: (step) => progress.step(step),
  });
  progress.step('provisioning');
  const local = await provision(carcosa);
  listener.handle(await buildApp(carcosa));
  carcosa.health.setReady(true);
  surviveFaults(logger);
  stopOnSignals({ carcosa, listener });
  carcosa.queue.start(config.roles.has('worker') ? jobHandlers(carcosa) : null);
  if (config.roles.has('worker')) {
    carcosa.webhookWorker.start();
    carcosa.arrivalWorker.start();
    // Nobody else uses an embedded database: whoever worked on a job is dead, and its heartbeat need not be waited for.
    if (carcosa.database.kind === 'embedded') void resumeTransforms(carcosa);
  }
  progress.done();
  announceReady({ url, publicUrl, config, local, isUnclaimed: await isUnclaimed(carcosa.database.pool) });
  carcosa.health.checkStorage().catch((error: unknown) => warnOfStorage(error, logger));
}

/** The library is loaded where somebody wants to be told, and only there. */
async function openReporter(settings: ServerConfig['faults']): Promise<FaultReporter | undefined> {
  if (!settings) return undefined;
  const { SentryReporter } = await import('../faults/sentry-reporter.ts');
  return new SentryReporter(settings, VERSION);
}

/** The library is loaded where somebody traces, and only there. */
async function openTracing(settings: ServerConfig['tracing']): Promise<Tracing> {
  if (!settings) return noTracing;
  const { OtelTracing } = await import('../tracing/otel-tracing.ts');
  return new OtelTracing(settings, VERSION);
}

async function resumeTransforms({ transformJobs, logger }: Carcosa): Promise<void> {
  await transformJobs
    .resume()
    .catch((error: unknown) => logger.warn({ err: error }, 'transform jobs of before the start are resumed later'));
}

/** A bucket that does not answer now may do so later: it is said, and the server stays up. */
function warnOfStorage(error: unknown, logger: Logger): void {
  const reason = isCarcosaError(error) ? `${error.code}: ${error.message}` : String(error);
  process.stdout.write(`Warning: the bucket cannot be used at present (${reason})\n`);
  logger.warn({ err: error }, 'the bucket of the default project cannot be used at present');
}

/** Makes the default project where there is none, and leaves what clients on this machine need in `local.json`. */
async function provision(carcosa: Carcosa) {
  const { config, publicUrl } = carcosa;
  const held = await readLocalJson(config.dataDir);
  const made = await carcosa.provisioning.ensureDefaults(defaultBucket(config.s3), held?.apiKey ?? null);
  carcosa.health.watch(made.bucketId);
  if (config.people.admin) await carcosa.people.ensureOwner(config.people.admin);
  const apiKey = made.apiKey ?? held?.apiKey ?? '';
  return await writeLocalJson(config.dataDir, { url: publicUrl, projectId: made.projectId, apiKey });
}

/** Where a client on this machine finds a server that listens on `host`. */
function hostForUrl(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}
