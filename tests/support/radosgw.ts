import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CreateBucketCommand, ListMultipartUploadsCommand, paginateListObjectsV2, S3Client } from '@aws-sdk/client-s3';
import { until } from './clock.ts';
import { unique } from './random.ts';

const PROGRAMS = ['ceph', 'ceph-authtool', 'monmaptool', 'ceph-mon', 'ceph-osd', 'radosgw', 'radosgw-admin', 'curl'];
const READY_WITHIN = 120_000;

/** How to reach one bucket. */
export interface GatewayBucket {
  bucket: string;
  region: string;
  endpoint?: string;
  credentials?: { accessKeyId: string; secretAccessKey: string };
}

/** A real S3 server that nobody here wrote: one gateway for all files of a test run, which share nothing but it. */
export interface Radosgw {
  /** `http://127.0.0.1:port` */
  readonly endpoint: string;
  /** Makes an empty bucket. `endpoint`: another way to the gateway, such as a proxy. */
  bucket(endpoint?: string): Promise<GatewayBucket>;
}

/**
 * The gateway of this test run, started by whoever asks first (about 20 s); it ends with the run. `null`, said aloud, where Ceph is
 * not installed: the tests that need it are skipped then.
 */
export async function radosgw(): Promise<Radosgw | null> {
  const missing = PROGRAMS.filter((program) => !isInstalled(program));
  if (missing.length > 0) {
    const packages = 'ceph-mon ceph-osd radosgw ceph-common curl';
    // Past the runner, which keeps to itself what the files of skipped tests print.
    writeSync(2, `SKIPPED: tests against a real S3 server need ${missing.join(', ')} (Debian: ${packages}).\n`);
    return null;
  }
  const endpoint = process.env.CARCOSA_TEST_RADOSGW ?? (await sharedGateway());
  return { endpoint, bucket: (via) => makeBucket(endpoint, via ?? endpoint) };
}

/** Names of all in a bucket that is no object: unfinished multipart uploads and what lies in folders of our own. */
export async function leftoversOf(config: GatewayBucket): Promise<string[]> {
  const client = clientOf(config);
  const names: string[] = [];
  try {
    const { Uploads } = await client.send(new ListMultipartUploadsCommand({ Bucket: config.bucket }));
    for (const { Key } of Uploads ?? []) names.push(`parts of ${Key}`);
    for await (const { Contents } of paginateListObjectsV2(
      { client },
      { Bucket: config.bucket, Prefix: '.carcosa/' },
    )) {
      for (const { Key } of Contents ?? []) names.push(Key ?? '');
    }
  } finally {
    client.destroy();
  }
  return names;
}

/** Keys of all objects of a bucket but what lies in folders of our own. */
export async function objectsOf(config: GatewayBucket): Promise<string[]> {
  const client = clientOf(config);
  const keys: string[] = [];
  try {
    for await (const { Contents } of paginateListObjectsV2({ client }, { Bucket: config.bucket })) {
      for (const { Key } of Contents ?? []) if (Key && !Key.startsWith('.carcosa/')) keys.push(Key);
    }
  } finally {
    client.destroy();
  }
  return keys;
}

function clientOf(config: GatewayBucket): S3Client {
  return new S3Client({
    region: config.region,
    forcePathStyle: true,
    ...(config.endpoint ? { endpoint: config.endpoint } : {}),
    ...(config.credentials ? { credentials: config.credentials } : {}),
  });
}

async function makeBucket(endpoint: string, via: string): Promise<GatewayBucket> {
  const config: GatewayBucket = {
    bucket: unique('bucket'),
    region: 'default',
    endpoint,
    credentials: { accessKeyId: 'TESTKEY', secretAccessKey: 'TESTSECRET' },
  };
  const client = clientOf(config);
  await client.send(new CreateBucketCommand({ Bucket: config.bucket }));
  client.destroy();
  return { ...config, endpoint: via };
}

/** All files of a run ask; the script that makes the directory first is the gateway's, the others end at once. */
async function sharedGateway(): Promise<string> {
  // Test files run in processes or threads of the runner: its process, or its parent's, lives as long as the run.
  const owner = process.ppid;
  const began = readFileSync(`/proc/${owner}/stat`, 'utf8').split(' ')[21];
  const state = path.join(tmpdir(), `carcosa-radosgw-${owner}-${began}`);
  if (!existsSync(state)) await start(state, owner);
  const read = (name: string) => {
    const file = path.join(state, name);
    return existsSync(file) ? readFileSync(file, 'utf8').trim() : null;
  };
  const settled = () => {
    const failure = read('failed');
    if (failure !== null) throw new Error(`the S3 gateway did not start: ${failure}`);
    return read('ready');
  };
  return until(settled, { within: READY_WITHIN, every: 100, what: 'the S3 gateway' });
}

/** It is not our child for long: this worker may end before the run does. It watches the owner and cleans up by itself. */
async function start(state: string, owner: number): Promise<void> {
  const script = path.join(import.meta.dirname, 'radosgw-up.sh');
  const ports = await freePorts(3);
  spawn('bash', [script, state, String(owner), ...ports.map(String)], { detached: true, stdio: 'ignore' }).unref();
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await once(server.listen(0, '127.0.0.1'), 'listening');
      return server;
    }),
  );
  return servers.map((server) => {
    const address = server.address();
    server.close();
    return typeof address === 'object' && address ? address.port : 0;
  });
}

function isInstalled(program: string): boolean {
  return (process.env.PATH ?? '').split(path.delimiter).some((folder) => existsSync(path.join(folder, program)));
}
