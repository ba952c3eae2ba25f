import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { AddressGuard, LOOPBACK_NETWORKS } from '@carcosa/kernel/node';
import { S3ObjectStore } from '@carcosa/storage/adapters/s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** Somebody who runs a provider of their own to do harm by its answers. */
describe('a provider that answers without end', () => {
  let server: Server;
  let store: S3ObjectStore;
  let sent = 0;
  beforeAll(async () => {
    const piece = Buffer.alloc(256 * 1024, '<Contents><Key>x</Key></Contents>');
    server = createServer((request, answer) => {
      request.resume();
      answer.writeHead(200, { 'content-type': 'application/xml' });
      const endless = new Readable({
        read() {
          sent += piece.length;
          this.push(piece);
        },
      });
      endless.pipe(answer).on('close', () => endless.destroy());
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const guard = new AddressGuard({ allow: LOOPBACK_NETWORKS, refuse: () => new Error('private') });
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const credentials = { accessKeyId: 'a', secretAccessKey: 'b' };
    store = await S3ObjectStore.open({
      bucket: 'b',
      region: 'us-east-1',
      endpoint,
      credentials,
      guard,
      maxAttempts: 1,
    });
  });
  afterAll(async () => {
    await store.close();
    server.closeAllConnections();
    server.close();
  });

  it('is cut off at lists', async () => {
    const list = async () => {
      for await (const _ of store.list('')) return;
    };
    await expect(list()).rejects.toMatchObject({
      code: 'storage_misconfigured',
      message: expect.stringContaining('endpoint'),
    });
    expect(sent).toBeLessThan(64 * 1024 * 1024);
  });

  it('is cut off when it is examined', async () => {
    sent = 0;
    const { problem } = await store.diagnosis.examine({ origins: ['https://a.example'] });
    expect(problem).toContain('endpoint');
    expect(sent).toBeLessThan(64 * 1024 * 1024);
  });
});
