import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type DetailedError, Upload } from 'tus-js-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CuttingProxy, startCuttingProxy } from '../support/cutting-proxy.ts';
import { expectIntact, findByPath, versionsOf } from '../support/files.ts';
import { patternBytes, seededRandom } from '../support/random.ts';
import { makeHome, type Server, startServer } from '../support/server.ts';
import { TUS } from '../support/tus.ts';
import { startTusClient } from '../support/tus-client.ts';
import type { FileInfo } from '../support/wire.ts';

let server: Server;
let proxy: CuttingProxy;
let folder: string;
beforeAll(async () => {
  folder = await makeHome();
  proxy = await startCuttingProxy();
  // The server hands out addresses of the proxy, so that every request of a client goes through it.
  server = await startServer({ env: { CARCOSA_PUBLIC_URL: proxy.url } });
  proxy.target(server.directUrl);
});
afterAll(async () => {
  await server.stop();
  await proxy.close();
});

interface Run {
  bytes: Buffer;
  path: string;
  more?: Partial<ConstructorParameters<typeof Upload>[1]>;
  /** Called after each chunk that was acknowledged. */
  onChunk?: (upload: Upload, accepted: number) => void;
}

/** Uploads by tus-js-client with its retries, and gives the file that the last answer named. */
async function upload({ bytes, path: at, more = {}, onChunk }: Run): Promise<FileInfo> {
  const id = await new Promise<string>((resolve, reject) => {
    const client: Upload = new Upload(bytes, {
      endpoint: `${proxy.url}${TUS}`,
      chunkSize: 256 * 1024,
      retryDelays: Array.from({ length: 100 }, () => 20),
      headers: { authorization: `Bearer ${server.apiKey}` },
      metadata: { filename: 'client.bin', filetype: 'application/octet-stream', path: at },
      onChunkComplete: (_size, accepted) => onChunk?.(client, accepted),
      onSuccess: ({ lastResponse }) => resolve(lastResponse.getHeader('carcosa-file-id') ?? ''),
      onError: (error: Error | DetailedError) => reject(error),
      ...more,
    });
    client.start();
  });
  expect(id, 'the last answer names the file').not.toBe('');
  return (await server.api<FileInfo>('GET', `/files/${id}`)).data;
}

const bytes = patternBytes('client', 6 * 2 ** 20 + 12_345);

describe('tus-js-client', () => {
  it('uploads in chunks', async () => expectIntact(server, await upload({ bytes, path: 'client/chunks' }), bytes));

  it('uploads in one request', async () => {
    await expectIntact(
      server,
      await upload({ bytes, path: 'client/whole', more: { chunkSize: Number.POSITIVE_INFINITY } }),
      bytes,
    );
  });

  it('uploads an empty file', async () => {
    // With no bytes there is no PATCH: the creation's answer is the last one.
    await upload({ bytes: Buffer.alloc(0), path: 'client/empty' });
    expect((await findByPath(server, 'client/empty'))?.size).toBe(0);
  });

  it('sends data with the creation', async () => {
    await expectIntact(
      server,
      await upload({ bytes, path: 'client/creation', more: { uploadDataDuringCreation: true } }),
      bytes,
    );
  });

  it('defers the length', async () => {
    await expectIntact(
      server,
      await upload({ bytes, path: 'client/deferred', more: { uploadLengthDeferred: true } }),
      bytes,
    );
  });

  it('overrides PATCH by POST', async () => {
    await expectIntact(
      server,
      await upload({ bytes, path: 'client/override', more: { overridePatchMethod: true } }),
      bytes,
    );
  });

  it('uploads in three parallel pieces that the server joins', async () => {
    await upload({ bytes, path: 'client/parallel', more: { parallelUploads: 3 } });
    const file = await findByPath(server, 'client/parallel');
    await expectIntact(server, file as FileInfo, bytes);
  });

  it('paused and started again at random goes on where it was', async () => {
    const random = seededRandom();
    let pauses = 0;
    const file = await upload({
      bytes,
      path: 'client/paused',
      onChunk: (client, accepted) => {
        if (pauses >= 6 || accepted === bytes.length || random.integer(0, 2) === 0) return;
        pauses += 1;
        void client.abort().then(() => client.start());
      },
    });
    await expectIntact(server, file, bytes);
    expect(await versionsOf(server, file.id), `seed ${random.seed}`).toHaveLength(1);
  });

  it.each([1, 2, 3])(
    'over a network that cuts every connection at random ends with the same bytes (round %i)',
    async (round) => {
      const random = seededRandom();
      const before = proxy.cuts;
      proxy.cutAfter(random.integer(1, 600_000));
      const file = await upload({
        bytes,
        path: `client/cut-${round}`,
        more: {
          chunkSize: random.integer(100_000, 3_000_000),
          onAfterResponse: () => {
            if (proxy.cuts - before < 8) proxy.cutAfter(random.integer(1, 900_000));
          },
        },
      });
      await expectIntact(server, file, bytes);
      expect(proxy.cuts - before, `seed ${random.seed}`).toBeGreaterThan(0);
      expect(await versionsOf(server, file.id), `seed ${random.seed}`).toHaveLength(1);
    },
  );

  it('aborted for good leaves nothing behind', async () => {
    await new Promise<void>((resolve, reject) => {
      void upload({
        bytes,
        path: 'client/terminated',
        onChunk: (client) => void client.abort(true).then(resolve, reject),
      }).catch(reject);
    });
    expect(await findByPath(server, 'client/terminated')).toBeUndefined();
  });
});

describe('a second process', () => {
  it('goes on after the first was killed in the middle', async () => {
    const file = path.join(folder, 'killed.bin');
    await writeFile(file, bytes);
    const order = {
      endpoint: `${proxy.url}${TUS}`,
      apiKey: server.apiKey,
      file,
      storage: path.join(folder, 'uploads.json'),
      chunkSize: 300_000,
      metadata: { filename: 'killed.bin', path: 'client/killed' },
    };
    const first = startTusClient(order);
    await first.reached(1_500_000);
    expect(await first.kill('SIGKILL')).toEqual({ code: null, signal: 'SIGKILL' });
    const acknowledged = first.accepted.at(-1) ?? 0;
    expect(acknowledged).toBeLessThan(bytes.length);

    const second = startTusClient(order);
    expect(await second.exited, second.errors).toEqual({ code: 0, signal: null });
    expect(second.result?.resumedFrom, 'nothing that was acknowledged is sent again').toBeGreaterThanOrEqual(
      acknowledged,
    );
    const stored = (await server.api<FileInfo>('GET', `/files/${second.result?.fileId}`)).data;
    await expectIntact(server, stored, bytes);
    expect(await versionsOf(server, stored.id)).toHaveLength(1);
  });
});
