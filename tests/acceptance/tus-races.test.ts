import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/clock.ts';
import { times } from '../support/concurrently.ts';
import { expectIntact, findByPath, versionsOf } from '../support/files.ts';
import { patternBytes, sha256, unique } from '../support/random.ts';
import { type RawConnection, rawConnect, requestHead } from '../support/raw-http.ts';
import { type Server, startServer } from '../support/server.ts';
import { OFFSET_STREAM, tus, tusCreate, tusOffset, tusPatch } from '../support/tus.ts';
import type { FileInfo } from '../support/wire.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

const fileAt = async (path: string): Promise<FileInfo> => {
  const file = await findByPath(server, path);
  if (!file) throw new Error(`nothing at ${path}`);
  return file;
};

/** Begins a PATCH of `length` bytes by hand and sends the first `bytes` of them; the rest is the caller's. */
async function beginPatch(
  address: string,
  offset: number,
  length: number | null,
  bytes: Uint8Array,
): Promise<RawConnection> {
  const connection = await rawConnect(server.url);
  const head = requestHead('PATCH', new URL(address).pathname, {
    'x-api-key': server.apiKey,
    'tus-resumable': '1.0.0',
    'content-type': OFFSET_STREAM,
    'upload-offset': offset,
    ...(length === null ? { 'transfer-encoding': 'chunked' } : { 'content-length': length }),
  });
  await connection.write(head);
  if (bytes.length > 0) await connection.write(bytes);
  return connection;
}

describe('50 PATCHes at one offset', () => {
  it.each([1, 2, 3])(
    'exactly one is 204, the others 409 or 423, and the content is one body (round %i)',
    async (round) => {
      const size = 100_000;
      const path = `race/fifty-${round}`;
      const address = await tusCreate(server, size, { filename: 'fifty', path });
      const bodies = Array.from({ length: 50 }, (_, index) => Buffer.alloc(size, index));
      const answers = await Promise.all(bodies.map((body) => tusPatch(server, address, 0, body)));
      const winners = answers.flatMap(({ status }, index) => (status === 204 ? [index] : []));
      for (const { status } of answers) expect([204, 409, 423]).toContain(status);
      expect(winners).toHaveLength(1);
      await expectIntact(server, await fileAt(path), bodies[winners[0] as number] as Buffer);
    },
  );

  it('in the middle of an upload neither loses nor repeats a byte', async () => {
    const address = await tusCreate(server, 60_000, { filename: 'middle', path: 'race/middle' });
    const base = patternBytes('middle', 60_000);
    await tusPatch(server, address, 0, base.subarray(0, 20_000));
    const answers = await times(50, () => tusPatch(server, address, 20_000, base.subarray(20_000, 40_000)));
    expect(answers.filter(({ status }) => status === 204)).toHaveLength(1);
    expect(await tusOffset(server, address)).toBe(40_000);
    expect((await tusPatch(server, address, 40_000, base.subarray(40_000))).status).toBe(204);
    await expectIntact(server, await fileAt('race/middle'), base);
  });
});

describe('chunks of any sizes', () => {
  it('add up to the content', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 70_000 }), { minLength: 1, maxLength: 12 }),
        async (sizes) => {
          const bytes = patternBytes(
            unique(),
            sizes.reduce((sum, size) => sum + size, 0),
          );
          const path = `chunks/${unique()}`;
          const address = await tusCreate(server, bytes.length, { filename: 'x', path });
          let offset = 0;
          for (const size of sizes) {
            if (offset === bytes.length) break;
            const answer = await tusPatch(server, address, offset, bytes.subarray(offset, offset + size));
            expect(answer.status).toBe(204);
            offset += size;
            expect(answer.headers.get('upload-offset')).toBe(String(offset));
          }
          await expectIntact(server, await fileAt(path), bytes);
        },
      ),
      { numRuns: 15 },
    );
  });
});

describe('a length that lies', () => {
  it('a body beyond Upload-Length is 400 or 413, and no extra byte is kept', async () => {
    const address = await tusCreate(server, 5, { filename: 'x', path: 'lies/beyond' });
    expect([400, 413]).toContain((await tusPatch(server, address, 0, Buffer.from('hello!'))).status);
    expect(await tusOffset(server, address)).toBeLessThanOrEqual(5);
    const file = await findByPath(server, 'lies/beyond');
    if (file) expect(file.size).toBe(5);
  });

  it('a chunked body beyond Upload-Length is 400 or 413, and no extra byte is kept', async () => {
    const address = await tusCreate(server, 5, { filename: 'x', path: 'lies/chunked' });
    const connection = await beginPatch(address, 0, null, Buffer.from('3\r\nabc\r\n9\r\ndefghijkl\r\n0\r\n\r\n'));
    expect([400, 413]).toContain((await connection.response()).status);
    connection.destroy();
    expect(await tusOffset(server, address)).toBeLessThanOrEqual(5);
    const file = await findByPath(server, 'lies/chunked');
    if (file) expect(file.size).toBe(5);
  });

  it('a chunked body that fits is taken', async () => {
    const address = await tusCreate(server, 5, { filename: 'x', path: 'lies/fits' });
    const connection = await beginPatch(address, 0, null, Buffer.from('3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n'));
    expect((await connection.response()).status).toBe(204);
    connection.destroy();
    await expectIntact(server, await fileAt('lies/fits'), Buffer.from('abcde'));
  });
});

describe('a connection that breaks', () => {
  it('keeps what arrived: the offset told is a beginning of what was sent, and the upload can go on', async () => {
    const bytes = patternBytes('broken', 900_000);
    const address = await tusCreate(server, bytes.length, { filename: 'x', path: 'broken/one' });
    let offset = 0;
    for (const sent of [1, 65_536, 200_000, 300_001]) {
      const connection = await beginPatch(
        address,
        offset,
        bytes.length - offset,
        bytes.subarray(offset, offset + sent),
      );
      connection.destroy();
      await connection.closed;
      const told = await tusOffset(server, address);
      expect(told).toBeGreaterThanOrEqual(offset);
      expect(told).toBeLessThanOrEqual(offset + sent);
      offset = told;
    }
    expect((await tusPatch(server, address, offset, bytes.subarray(offset))).status).toBe(204);
    await expectIntact(server, await fileAt('broken/one'), bytes);
  });

  it('keeps all that arrived when the client half-closes in the middle', async () => {
    const bytes = patternBytes('half-closed', 300_000);
    const address = await tusCreate(server, bytes.length, { filename: 'x', path: 'broken/half-closed' });
    const connection = await beginPatch(address, 0, bytes.length, bytes.subarray(0, 120_000));
    connection.end();
    await connection.closed;
    const offset = await until(async () => (await tusOffset(server, address)) || undefined, { what: 'a saved offset' });
    expect(offset).toBe(120_000);
    await tusPatch(server, address, offset, bytes.subarray(offset));
    await expectIntact(server, await fileAt('broken/half-closed'), bytes);
  });

  it('with a checksum declared keeps nothing of that PATCH (checksum extension)', async () => {
    const address = await tusCreate(server, 1000);
    const connection = await rawConnect(server.url);
    const headers = {
      'x-api-key': server.apiKey,
      'tus-resumable': '1.0.0',
      'content-type': OFFSET_STREAM,
      'upload-offset': 0,
    };
    const checksum = `sha1 ${Buffer.alloc(20).toString('base64')}`;
    await connection.write(
      requestHead('PATCH', new URL(address).pathname, {
        ...headers,
        'content-length': 1000,
        'upload-checksum': checksum,
      }),
    );
    await connection.write(Buffer.alloc(500));
    connection.destroy();
    await connection.closed;
    expect(await tusOffset(server, address)).toBe(0);
  });
});

describe('a writer that stalls', () => {
  it('is asked to save and stop when another one comes', async () => {
    const bytes = patternBytes('stalled', 500_000);
    const address = await tusCreate(server, bytes.length, { filename: 'x', path: 'stall/taken-over' });
    const stalled = await beginPatch(address, 0, bytes.length, bytes.subarray(0, 200_000));
    // The newcomer asks where to go on, as every client does, and goes on there.
    const file = await until(
      async () => {
        const offset = await tusOffset(server, address);
        const answer = await tusPatch(server, address, offset, bytes.subarray(offset));
        if (answer.status !== 204) expect([409, 423]).toContain(answer.status);
        return answer.status === 204 ? fileAt('stall/taken-over') : undefined;
      },
      { within: 15_000, what: 'the take-over' },
    );
    await expectIntact(server, file, bytes);
    // What the old one still sends reaches nothing.
    await stalled.write(Buffer.alloc(bytes.length - 200_000, 0xee)).catch(() => {});
    stalled.destroy();
    await expectIntact(server, await fileAt('stall/taken-over'), bytes);
    expect(await versionsOf(server, file.id)).toHaveLength(1);
  });

  it('does not keep anybody from ending the upload', async () => {
    const address = await tusCreate(server, 1000);
    const stalled = await beginPatch(address, 0, 1000, Buffer.alloc(10));
    const status = await until(
      async () => {
        const answer = await tus(server, 'DELETE', address);
        return answer.status === 423 ? undefined : answer.status;
      },
      { within: 15_000, what: 'the end of the upload' },
    );
    expect(status).toBe(204);
    stalled.destroy();
    expect([404, 410]).toContain((await tus(server, 'HEAD', address)).status);
  });

  it('sees HEAD answered while it writes, with no more than is safe', async () => {
    const address = await tusCreate(server, 1_000_000);
    const writer = await beginPatch(address, 0, 1_000_000, Buffer.alloc(400_000));
    const offset = await tusOffset(server, address);
    expect(offset).toBeGreaterThanOrEqual(0);
    expect(offset).toBeLessThanOrEqual(400_000);
    writer.destroy();
  });
});

describe('two clients with one file', () => {
  it('that retry against each other end with one whole content', async () => {
    const bytes = patternBytes('two clients', 800_000);
    const address = await tusCreate(server, bytes.length, { filename: 'x', path: 'two/clients' });
    const client = async (step: number): Promise<void> => {
      for (let tries = 0; tries < 500; tries += 1) {
        const offset = await tusOffset(server, address);
        if (offset === bytes.length) return;
        const answer = await tusPatch(server, address, offset, bytes.subarray(offset, offset + step));
        expect([204, 409, 423]).toContain(answer.status);
      }
      throw new Error('it never ended');
    };
    await Promise.all([client(50_000), client(37_000), client(91_000)]);
    const file = await fileAt('two/clients');
    expect(file.sha256).toBe(sha256(bytes));
    await expectIntact(server, file, bytes);
    expect(await versionsOf(server, file.id)).toHaveLength(1);
  });
});
