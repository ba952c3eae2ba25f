import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readServerConfig } from './config.ts';

const S3 = {
  CARCOSA_S3_BUCKET: 'media',
  CARCOSA_S3_ACCESS_KEY_ID: 'id',
  CARCOSA_S3_SECRET_ACCESS_KEY: 'very-secret',
};

/** 32 bytes. */
const KEY = Buffer.alloc(32, 251).toString('base64');

describe('without variables', () => {
  it('has the defaults of the contract', () => {
    expect(readServerConfig({})).toMatchObject({
      host: '127.0.0.1',
      port: 4000,
      dataDir: resolve('.carcosa'),
      databaseUrl: undefined,
      secret: undefined,
      publicUrl: undefined,
      trustedProxies: [],
      roles: new Set(['http', 'worker']),
      s3: undefined,
      sendfile: { mode: 'off' },
    });
  });

  it('an empty variable is an absent one', () => {
    expect(readServerConfig({ PORT: '', CARCOSA_ROLES: '', CARCOSA_S3_ENDPOINT: '' })).toEqual(readServerConfig({}));
  });
});

it('reads what is set', () => {
  const config = readServerConfig({
    PORT: '0',
    CARCOSA_PUBLIC_URL: 'https://files.example.com/media/',
    CARCOSA_TRUSTED_PROXIES: '10.0.0.0/8, ::1',
    CARCOSA_ROLES: 'worker',
    CARCOSA_SENDFILE: 'x-accel-redirect',
  });
  expect(config).toMatchObject({
    port: 0,
    publicUrl: 'https://files.example.com/media',
    trustedProxies: ['10.0.0.0/8', '::1'],
    roles: new Set(['worker']),
    sendfile: { mode: 'x-accel-redirect' },
  });
});

describe('buckets of organizations', () => {
  it('may lie beside a server that has its database to itself, and elsewhere where it is allowed', () => {
    const networks = (env: Record<string, string>) => readServerConfig(env).bucketNetworks;
    const shared = { DATABASE_URL: 'postgres://somewhere/x' };
    expect(networks({})).toEqual(['127.0.0.0/8', '::1/128']);
    expect(networks(shared)).toEqual([]);
    expect(networks({ ...shared, CARCOSA_BUCKET_ALLOW_PRIVATE: '10.0.0.0/8, fd00::1' })).toEqual([
      '10.0.0.0/8',
      'fd00::1',
    ]);
  });

  it('have their credentials sealed with keys that are read newest first, in either alphabet of base64', () => {
    const url = KEY.replaceAll('+', '-').replaceAll('/', '_').replace('=', '');
    const { encryptionKeys } = readServerConfig({ CARCOSA_ENCRYPTION_KEYS: `2026-11:${url}, old.1:${KEY}` });
    expect(encryptionKeys.map(({ id }) => id)).toEqual(['2026-11', 'old.1']);
    for (const { key } of encryptionKeys) expect(Buffer.from(key)).toEqual(Buffer.alloc(32, 251));
    expect(readServerConfig({}).encryptionKeys).toEqual([]);
  });
});

describe('a bad variable is named, and what it should be', () => {
  it.each([
    ['PORT', '70000', /PORT must be a whole number from 0 to 65535/],
    ['HOST', 'a b', /HOST must be a host name or address/],
    ['DATABASE_URL', 'mysql://x', /DATABASE_URL must be an address such as postgres:/],
    ['CARCOSA_SECRET', 'short', /CARCOSA_SECRET must be at least 32 bytes/],
    ['CARCOSA_PUBLIC_URL', 'files.example.com', /CARCOSA_PUBLIC_URL must be an http or https address/],
    ['CARCOSA_PUBLIC_URL', 'https://x/?a=b', /CARCOSA_PUBLIC_URL/],
    ['CARCOSA_TRUSTED_PROXIES', 'everybody', /CARCOSA_TRUSTED_PROXIES must be addresses or networks/],
    ['CARCOSA_TRUSTED_PROXIES', '10.0.0.0/33', /CARCOSA_TRUSTED_PROXIES/],
    ['CARCOSA_ROLES', 'http,cook', /CARCOSA_ROLES must be "http", "worker" or/],
    ['CARCOSA_ENCRYPTION_KEYS', 'k1', /CARCOSA_ENCRYPTION_KEYS must be keys for secrets at rest/],
    ['CARCOSA_ENCRYPTION_KEYS', 'k1:c2hvcnQ=', /CARCOSA_ENCRYPTION_KEYS/],
    ['CARCOSA_ENCRYPTION_KEYS', `root:${KEY}`, /CARCOSA_ENCRYPTION_KEYS/],
    ['CARCOSA_ENCRYPTION_KEYS', `k 1:${KEY}`, /CARCOSA_ENCRYPTION_KEYS/],
    ['CARCOSA_ENCRYPTION_KEYS', `k1:${KEY},k1:${KEY}`, /CARCOSA_ENCRYPTION_KEYS/],
    ['CARCOSA_BUCKET_ALLOW_PRIVATE', '10.0.0.0/33', /CARCOSA_BUCKET_ALLOW_PRIVATE must be addresses or networks/],
    ['CARCOSA_BUCKET_ALLOW_PRIVATE', 'loopback', /CARCOSA_BUCKET_ALLOW_PRIVATE/],
    ['CARCOSA_LOG_LEVEL', 'loud', /CARCOSA_LOG_LEVEL must be one of trace, debug/],
    ['CARCOSA_SENDFILE', 'yes', /CARCOSA_SENDFILE must be "off"/],
    ['CARCOSA_S3_FORCE_PATH_STYLE', 'maybe', /CARCOSA_S3_FORCE_PATH_STYLE must be "true" or "false"/],
  ])('%s=%s', (name, value, message) => {
    expect(() => readServerConfig({ ...S3, [name]: value })).toThrow(message);
  });

  it('all at once, and without their values where these are secret', () => {
    expect(() => readServerConfig({ PORT: 'x', CARCOSA_SECRET: 'hunter2' })).toThrow(/^PORT .*; CARCOSA_SECRET /);
    expect(() => readServerConfig({ CARCOSA_SECRET: 'hunter2' })).not.toThrow(/hunter2/);
  });
});

it('wants a root secret of its own where several nodes may share a database', () => {
  const production = { NODE_ENV: 'production', DATABASE_URL: 'postgres://db/x' };
  expect(() => readServerConfig(production)).toThrow(/CARCOSA_SECRET must be set in production/);
  expect(readServerConfig({ ...production, CARCOSA_SECRET: 'x'.repeat(32) }).secret).toHaveLength(32);
  expect(readServerConfig({ NODE_ENV: 'production' }).secret).toBeUndefined();
});

describe('the bucket of the environment', () => {
  it('has path style where it is not Amazon, unless it is said otherwise', () => {
    expect(readServerConfig(S3).s3).toMatchObject({ bucket: 'media', region: 'us-east-1', forcePathStyle: false });
    const other = { ...S3, CARCOSA_S3_ENDPOINT: 'https://s3.example.com/' };
    expect(readServerConfig(other).s3).toMatchObject({ endpoint: 'https://s3.example.com', forcePathStyle: true });
    expect(readServerConfig({ ...other, CARCOSA_S3_FORCE_PATH_STYLE: 'no' }).s3?.forcePathStyle).toBe(false);
  });

  it.each(Object.keys(S3))('is not whole without %s', (name) => {
    expect(() => readServerConfig({ ...S3, [name]: undefined, CARCOSA_S3_ENDPOINT: 'http://x' })).toThrow(name);
  });
});
