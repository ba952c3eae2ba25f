import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { NetworkRange } from '@carcosa/contracts';
import { databaseVariables } from '@carcosa/database';
import { type EncryptionKey, KEY_BYTES, KEY_ID_FORM, ROOT_KEY_ID } from '@carcosa/domain';
import { booleanVariable, CarcosaError, type Environment, integerVariable, readConfig } from '@carcosa/kernel';
import { LOOPBACK_NETWORKS } from '@carcosa/kernel/node';
import { z } from 'zod';
import { readStripe } from './billing/billing-config.ts';
import type { StripeSettings } from './billing/stripe-metered-billing.ts';
import { type FaultSettings, readFaultSettings } from './faults/fault-config.ts';
import { type LoadLimits, readLoadLimits } from './load/load-config.ts';
import { type PeopleSettings, readPeopleSettings } from './people-config.ts';
import { readTracingSettings, type TracingSettings } from './tracing/tracing-config.ts';

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
const ROLES = ['http', 'worker'] as const;

/** What this process does: answer requests, run jobs, or both. */
export type Role = (typeof ROLES)[number];
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Shortest root secret, in bytes of UTF-8. */
export const MIN_SECRET_BYTES = 32;

const list = (text: string): string[] =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean);

/** An address, a network in CIDR notation, or one of the names that Fastify knows. */
function isAddressOrNetwork(text: string): boolean {
  if (['loopback', 'linklocal', 'uniquelocal'].includes(text)) return true;
  const [address = '', bits] = text.split('/');
  const family = isIP(address);
  return family !== 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128)));
}

/** Null for what is not of the form `id:key`, or has an id twice. */
function parseEncryptionKeys(items: string[]): EncryptionKey[] | null {
  const keys = items.map((item) => {
    const [id = '', text = ''] = item.split(':', 2);
    return { id, key: new Uint8Array(Buffer.from(text, /[-_]/.test(text) ? 'base64url' : 'base64')) };
  });
  const isGood = ({ id, key }: EncryptionKey): boolean =>
    KEY_ID_FORM.test(id) && id !== ROOT_KEY_ID && key.length === KEY_BYTES;
  return keys.every(isGood) && new Set(keys.map(({ id }) => id)).size === keys.length ? keys : null;
}

const httpUrl = z
  .url({ protocol: /^https?$/ })
  // All checks run, also when the one before has failed: this one must not throw.
  .refine((text) => URL.parse(text)?.search === '' && URL.parse(text)?.hash === '')
  .transform((text) => text.replace(/\/+$/, ''));

/** The settings of the process itself. Each description is the "expected form" of an error. */
const SERVER_SHAPE = {
  PORT: integerVariable(0, 65_535).default(4000),
  HOST: z
    .string()
    .regex(/^[A-Za-z0-9.:_-]+$/)
    .default('127.0.0.1')
    .describe('a host name or address to listen on'),
  NODE_ENV: z.string().optional(),
  ...databaseVariables,
  CARCOSA_DATA_DIR: z.string().default('.carcosa').describe('a directory'),
  CARCOSA_SECRET: z
    .string()
    .refine((text) => Buffer.byteLength(text) >= MIN_SECRET_BYTES)
    .optional()
    .describe(`at least ${MIN_SECRET_BYTES} bytes, for example the output of "openssl rand -hex 32"`),
  CARCOSA_PUBLIC_URL: httpUrl.optional().describe('an http or https address such as https://files.example.com'),
  CARCOSA_TRUSTED_PROXIES: z
    .string()
    .transform(list)
    .refine((items) => items.every(isAddressOrNetwork))
    .default([])
    .describe('addresses or networks separated by commas, such as 10.0.0.0/8,127.0.0.1'),
  REDIS_URL: z
    .url({ protocol: /^rediss?$/ })
    .optional()
    .describe('a redis or rediss address such as redis://127.0.0.1:6379'),
  CARCOSA_ROLES: z
    .string()
    .transform(list)
    .pipe(z.array(z.enum(ROLES)).min(1))
    .default([...ROLES])
    .describe('"http", "worker" or "http,worker"'),
  CARCOSA_AUDIT_RETENTION_DAYS: integerVariable(1, 36_500).optional(),
  // The month before is still to be billed.
  CARCOSA_USAGE_RETENTION_DAYS: integerVariable(62, 36_500).optional(),
  CARCOSA_TRANSFORM_CACHE_BYTES: integerVariable(0, Number.MAX_SAFE_INTEGER).default(1024 ** 3),
  CARCOSA_LOG_LEVEL: z
    .enum(LOG_LEVELS)
    .optional()
    .describe(`one of ${LOG_LEVELS.join(', ')}`),
  CARCOSA_METRICS_TOKEN: z
    .string()
    .regex(/^[A-Za-z0-9._~+/-]{16,}=*$/)
    .optional()
    .describe('at least 16 characters of a bearer token, for example the output of "openssl rand -hex 32"'),
  CARCOSA_SENDFILE: z
    .enum(['off', 'x-accel-redirect', 'x-sendfile'])
    .default('off')
    .describe('"off", "x-accel-redirect" or "x-sendfile"'),
  CARCOSA_SENDFILE_PREFIX: z
    .string()
    .regex(/^\/[^\s]*$/)
    .default('/carcosa-data/')
    .describe('the internal location of the proxy that shows the data directory, such as /carcosa-data/'),
};

/** What keeps the secrets and the network of the server from those who may make buckets. */
const BUCKET_SHAPE = {
  CARCOSA_ENCRYPTION_KEYS: z
    .string()
    .transform(list)
    .transform(parseEncryptionKeys)
    .refine((keys) => keys !== null)
    .default([])
    .describe(
      'keys for secrets at rest, the newest first, as id:key separated by commas; an id is up to 32 of [A-Za-z0-9._-] and not "root", a key the output of "openssl rand -base64 32"',
    ),
  CARCOSA_BUCKET_ALLOW_PRIVATE: z
    .string()
    .transform(list)
    .refine((items) => items.every((item) => NetworkRange.safeParse(item).success))
    .default([])
    .describe('addresses or networks separated by commas, such as 10.0.0.0/8,192.168.1.7'),
};

/** Where clamd listens: `host:port`, or the absolute path of its socket. */
const CLAMD_FORM = /^(?:\/\S+|(?:\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+):\d{1,5})$/;
const SCAN_SHAPE = {
  CARCOSA_CLAMD: z
    .string()
    .regex(CLAMD_FORM)
    .optional()
    .describe('where clamd listens, as 127.0.0.1:3310 or /run/clamav/clamd.ctl'),
};

/** What keeps webhooks out of the server's own network. */
const WEBHOOK_SHAPE = {
  CARCOSA_WEBHOOK_ALLOW_PRIVATE: BUCKET_SHAPE.CARCOSA_BUCKET_ALLOW_PRIVATE,
};

/** How many clients may be told what happens, at once. */
const REALTIME_SHAPE = {
  CARCOSA_REALTIME_CONNECTIONS: integerVariable(0, 1_000_000).default(10_000),
  CARCOSA_REALTIME_CONNECTIONS_PER_CLIENT: integerVariable(1, 1_000_000).default(1_000),
};

/** A bucket at an S3-compatible provider that becomes the default bucket. */
const S3_SHAPE = {
  CARCOSA_S3_ENDPOINT: httpUrl.optional().describe('an http or https address such as https://s3.example.com'),
  CARCOSA_S3_REGION: z.string().default('us-east-1').describe('a region such as eu-central-1'),
  CARCOSA_S3_BUCKET: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$/)
    .optional()
    .describe('the name of a bucket'),
  CARCOSA_S3_ACCESS_KEY_ID: z.string().optional().describe('the access key id of the bucket'),
  CARCOSA_S3_SECRET_ACCESS_KEY: z.string().optional().describe('the secret access key of the bucket'),
  CARCOSA_S3_FORCE_PATH_STYLE: booleanVariable().optional(),
  CARCOSA_S3_PREFIX: z
    .string()
    .regex(/^[A-Za-z0-9._~@%+=,-]+(\/[A-Za-z0-9._~@%+=,-]+)*\/?$/)
    .transform((text) => text.replace(/\/+$/, ''))
    .optional()
    .describe('a prefix of keys such as carcosa or team/carcosa'),
};

/** The S3 bucket of the environment. The credentials stay in this object: they are never written anywhere. */
export interface S3Settings {
  endpoint: string | undefined;
  region: string;
  bucket: string;
  prefix: string;
  forcePathStyle: boolean;
  credentials: { accessKeyId: string; secretAccessKey: string };
}

export interface SendfileSettings {
  mode: 'off' | 'x-accel-redirect' | 'x-sendfile';
  /** Internal location of the proxy, for `x-accel-redirect`. */
  prefix: string;
}

export interface ServerConfig {
  host: string;
  /** 0: any free port. */
  port: number;
  /** Absolute. */
  dataDir: string;
  databaseUrl: string | undefined;
  databasePoolSize: number;
  /** Absent: generated once into the data directory. */
  secret: string | undefined;
  /** Without a "/" at its end; absent: made of host and port. */
  publicUrl: string | undefined;
  /** Absent: each node limits by itself. */
  redisUrl: string | undefined;
  trustedProxies: string[];
  roles: ReadonlySet<Role>;
  logLevel: LogLevel | undefined;
  /** Days that audit entries without organization are kept; undefined: for ever. */
  auditRetentionDays: number | undefined;
  /** Days that usage is kept; undefined: for ever. */
  usageRetentionDays: number | undefined;
  s3: S3Settings | undefined;
  /** Newest first; none: secrets are sealed with a key derived from the root secret. */
  encryptionKeys: readonly EncryptionKey[];
  /** Private networks that buckets of organizations may lie in. */
  bucketNetworks: readonly string[];
  /** Bytes that results of transforms may take on the disk. */
  transformCacheBytes: number;
  /** Private networks that webhooks may reach. */
  webhookNetworks: readonly string[];
  /** Most realtime connections of this process, and of one actor or address. */
  realtimeLimits: { total: number; perClient: number };
  sendfile: SendfileSettings;
  /** Lets whoever sends it read the metrics; absent: only this machine itself does. */
  metricsToken: string | undefined;
  /** Where clamd listens; absent: nothing is scanned. */
  clamd: string | undefined;
  /** Folders in which programs such as FFmpeg are looked for, as PATH has them. */
  programPath: string;
  people: PeopleSettings;
  /** Absent: nothing is reported. The key stays in this object. */
  stripe: StripeSettings | undefined;
  load: LoadLimits;
  /** Undefined: nobody traces. */
  tracing: TracingSettings | undefined;
  /** Undefined: faults stand in the log alone. */
  faults: FaultSettings | undefined;
}

/**
 * Reads all settings of the process from its environment. Nothing else reads `process.env`.
 * @throws CarcosaError `configuration_invalid`, whose message names each bad variable and its expected form
 */
export function readServerConfig(environment: Environment = process.env): ServerConfig {
  const variables = readConfig(SERVER_SHAPE, environment);
  if (variables.NODE_ENV === 'production' && variables.DATABASE_URL && !variables.CARCOSA_SECRET) {
    throw new CarcosaError('configuration_invalid', {
      message: `CARCOSA_SECRET must be set in production, because every node needs the same one: ${SERVER_SHAPE.CARCOSA_SECRET.description}`,
    });
  }
  return {
    host: variables.HOST,
    port: variables.PORT,
    dataDir: resolve(variables.CARCOSA_DATA_DIR),
    databaseUrl: variables.DATABASE_URL,
    databasePoolSize: variables.CARCOSA_DATABASE_POOL_SIZE,
    secret: variables.CARCOSA_SECRET,
    publicUrl: variables.CARCOSA_PUBLIC_URL,
    redisUrl: variables.REDIS_URL,
    trustedProxies: variables.CARCOSA_TRUSTED_PROXIES,
    roles: new Set(variables.CARCOSA_ROLES),
    logLevel: variables.CARCOSA_LOG_LEVEL,
    auditRetentionDays: variables.CARCOSA_AUDIT_RETENTION_DAYS,
    usageRetentionDays: variables.CARCOSA_USAGE_RETENTION_DAYS,
    s3: readS3(environment),
    ...readBucketSettings(environment, variables.DATABASE_URL === undefined),
    transformCacheBytes: variables.CARCOSA_TRANSFORM_CACHE_BYTES,
    webhookNetworks: readConfig(WEBHOOK_SHAPE, environment).CARCOSA_WEBHOOK_ALLOW_PRIVATE,
    realtimeLimits: realtimeLimits(environment),
    sendfile: { mode: variables.CARCOSA_SENDFILE, prefix: variables.CARCOSA_SENDFILE_PREFIX },
    metricsToken: variables.CARCOSA_METRICS_TOKEN,
    clamd: readConfig(SCAN_SHAPE, environment).CARCOSA_CLAMD,
    programPath: environment.PATH ?? '',
    people: readPeopleSettings(environment),
    stripe: readStripe(environment),
    load: readLoadLimits(environment),
    tracing: readTracingSettings(environment),
    faults: readFaultSettings(environment),
  };
}

/** Who uses the embedded database is alone on the machine, and may try a provider that runs beside the server. */
function readBucketSettings(environment: Environment, isEmbedded: boolean) {
  const variables = readConfig(BUCKET_SHAPE, environment);
  return {
    encryptionKeys: variables.CARCOSA_ENCRYPTION_KEYS ?? [],
    bucketNetworks: [...variables.CARCOSA_BUCKET_ALLOW_PRIVATE, ...(isEmbedded ? LOOPBACK_NETWORKS : [])],
  };
}

function readS3(environment: Environment): S3Settings | undefined {
  const variables = readConfig(S3_SHAPE, environment);
  const bucket = variables.CARCOSA_S3_BUCKET;
  if (!bucket) {
    if (!variables.CARCOSA_S3_ENDPOINT && !variables.CARCOSA_S3_ACCESS_KEY_ID) return undefined;
    throw missing('CARCOSA_S3_BUCKET', S3_SHAPE.CARCOSA_S3_BUCKET);
  }
  const { CARCOSA_S3_ACCESS_KEY_ID: accessKeyId, CARCOSA_S3_SECRET_ACCESS_KEY: secretAccessKey } = variables;
  if (!accessKeyId) throw missing('CARCOSA_S3_ACCESS_KEY_ID', S3_SHAPE.CARCOSA_S3_ACCESS_KEY_ID);
  if (!secretAccessKey) throw missing('CARCOSA_S3_SECRET_ACCESS_KEY', S3_SHAPE.CARCOSA_S3_SECRET_ACCESS_KEY);
  return {
    endpoint: variables.CARCOSA_S3_ENDPOINT,
    region: variables.CARCOSA_S3_REGION,
    bucket,
    prefix: variables.CARCOSA_S3_PREFIX ?? '',
    // Third-party servers seldom have a wildcard name for buckets; Amazon itself wants virtual hosts.
    forcePathStyle: variables.CARCOSA_S3_FORCE_PATH_STYLE ?? variables.CARCOSA_S3_ENDPOINT !== undefined,
    credentials: { accessKeyId, secretAccessKey },
  };
}

function missing(name: string, type: z.ZodType): CarcosaError {
  return new CarcosaError('configuration_invalid', {
    message: `${name} must be set with the other CARCOSA_S3_ variables: ${type.description}`,
  });
}

function realtimeLimits(environment: Environment): ServerConfig['realtimeLimits'] {
  const read = readConfig(REALTIME_SHAPE, environment);
  return { total: read.CARCOSA_REALTIME_CONNECTIONS, perClient: read.CARCOSA_REALTIME_CONNECTIONS_PER_CLIENT };
}
