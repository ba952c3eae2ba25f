import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { abortUnfinished, expectNothingUnreferenced } from '../support/bucket-on-disk.ts';
import { type CuttingProxy, startCuttingProxy } from '../support/cutting-proxy.ts';
import { versionsOf } from '../support/files.ts';
import { patternBlocks, seededRandom } from '../support/random.ts';
import { makeHome, type Server, startServer } from '../support/server.ts';
import { startTusClient } from '../support/tus-client.ts';
import type { FileInfo } from '../support/wire.ts';

const SIZE = 2 * 2 ** 30;
const MIB = 2 ** 20;
const CUTS = 20;
const KILLS = 2;

let home: string;
let proxy: CuttingProxy;
let server: Server;
beforeAll(async () => {
  home = await makeHome();
  proxy = await startCuttingProxy();
  server = await startServer({ env: { CARCOSA_PUBLIC_URL: proxy.url } });
  proxy.target(server.directUrl);
});
afterAll(async () => {
  await server.stop();
  await proxy.close();
  await rm(home, { recursive: true, force: true });
});

describe('a file of 2 GiB by tus', () => {
  it(`through ${CUTS} random disconnections and ${KILLS} kill -9 has the same SHA-256; the server's memory stays flat`, async () => {
    const random = seededRandom();
    const file = path.join(home, 'large.bin');
    const hash = createHash('sha256');
    const blocks = function* (): Generator<Buffer> {
      for (const block of patternBlocks('two gibibytes', SIZE)) {
        hash.update(block);
        yield block;
      }
    };
    await pipeline(Readable.from(blocks()), createWriteStream(file));
    const wanted = hash.digest('hex');

    const client = startTusClient({
      endpoint: `${proxy.url}/api/v1/tus`,
      apiKey: server.apiKey,
      file,
      storage: path.join(home, 'uploads.json'),
      chunkSize: 96 * MIB,
      metadata: { filename: 'large.bin', path: 'large.bin' },
    });
    // Every stretch of the file gets its share of trouble: 20 cuts and 2 kills, in random order.
    const troubles = random.shuffle([...Array(CUTS).fill('cut'), ...Array(KILLS).fill('kill')] as ('cut' | 'kill')[]);
    const stretch = SIZE / (troubles.length + 1);
    const memory: number[] = [];
    const sampling = setInterval(() => memory.push(server.rss()), 100);
    for (const [index, trouble] of troubles.entries()) {
      await client.reached(Math.floor(index * stretch));
      const cuts = proxy.cuts;
      if (trouble === 'cut') {
        proxy.cutAfter(random.integer(1, Math.floor(stretch)));
        await client.reached(Math.floor((index + 1) * stretch));
        if (proxy.cuts === cuts) proxy.cutAll();
      } else {
        await server.restart({ signal: 'SIGKILL' });
      }
    }
    expect(await client.exited, `seed ${random.seed}: ${client.errors}`).toEqual({ code: 0, signal: null });
    clearInterval(sampling);
    expect(proxy.cuts).toBeGreaterThanOrEqual(CUTS);

    const stored = (await server.api<FileInfo>('GET', `/files/${client.result?.fileId}`)).data;
    expect(stored).toMatchObject({ size: SIZE, sha256: wanted });
    expect(await versionsOf(server, stored.id)).toHaveLength(1);
    const served = createHash('sha256');
    const answer = await fetch(`${server.directUrl}/f/${stored.key}`);
    for await (const chunk of answer.body as ReadableStream<Uint8Array>) served.update(chunk);
    expect(served.digest('hex')).toBe(wanted);

    const peak = Math.max(...memory);
    const later = memory.slice(memory.length / 2).filter((bytes) => bytes > 0);
    const earlier = memory.slice(0, memory.length / 2).filter((bytes) => bytes > 0);
    const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
    console.info(
      `memory of the server: mean ${Math.round(mean(earlier) / MIB)}, then ${Math.round(mean(later) / MIB)} MiB; peak ${Math.round(peak / MIB)} MiB`,
    );
    expect(peak, 'at most 200 MB').toBeLessThanOrEqual(200 * 1_000_000);
    expect(mean(later), 'flat').toBeLessThan(mean(earlier) * 1.3 + 20 * MIB);
    // Creations whose answer a cut swallowed are uploads that nobody knows of: they end by expiry, here at once.
    await abortUnfinished(server);
    await expectNothingUnreferenced(server);
  });
});
