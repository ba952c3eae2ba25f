import { rm } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { abortUnfinished, bucketFiles, collect, expectNothingUnreferenced } from '../support/bucket-on-disk.ts';
import { completeUpload, initUpload, type Multipart, partOf, putSigned, signParts } from '../support/direct.ts';
import { expectIntact, findByPath, put } from '../support/files.ts';
import { type Postgres, postgresBinaries, startPostgres } from '../support/postgres.ts';
import { patternBytes } from '../support/random.ts';
import { type RawResponse, rawConnect, requestHead } from '../support/raw-http.ts';
import { makeHome, type Server, startServer } from '../support/server.ts';
import { canMount, mountSmallDisk, type SmallDisk } from '../support/small-disk.ts';
import { tus, tusCreate, tusOffset, tusPatch } from '../support/tus.ts';
import type { FileInfo } from '../support/wire.ts';

const possible = canMount() && postgresBinaries() !== null;
if (!possible) console.warn('disk full: skipped, since it takes root (to mount a small file system) and PostgreSQL');

const MIB = 2 ** 20;
const DISK = 64;
/** "Insufficient Storage", or that it can't be taken for now; a client must be able to tell it from a fault of ours. */
const FULL = [507, 503];

describe.skipIf(!possible)('a disk that is full', () => {
  let home: string;
  let disk: SmallDisk;
  let postgres: Postgres;
  let server: Server;
  let kept: FileInfo;
  beforeAll(async () => {
    home = await makeHome();
    const dataDir = path.join(home, 'data');
    disk = await mountSmallDisk(dataDir, DISK);
    // The database is elsewhere: it is the bucket that has no room.
    postgres = await startPostgres();
    server = await startServer({ dataDir, env: { DATABASE_URL: postgres.url } });
    kept = await put(server, patternBytes('kept', MIB), { path: 'kept' });
  });
  afterEach(async () => {
    expect(server.running).toBe(true);
    await expectIntact(server, kept, patternBytes('kept', MIB));
    await abortUnfinished(server);
    await expectNothingUnreferenced(server);
  });
  afterAll(async () => {
    await server?.stop();
    await postgres?.remove();
    await disk?.remove();
    if (home) await rm(home, { recursive: true, force: true });
  });

  /** Sends a body that may be refused in its middle, and gives the answer all the same. */
  async function send(
    method: string,
    target: string,
    headers: Record<string, string>,
    body: Uint8Array,
  ): Promise<RawResponse> {
    const connection = await rawConnect(server.url);
    try {
      await connection.write(requestHead(method, target, { ...headers, 'content-length': body.length }));
      void connection.write(body).catch(() => {});
      return await connection.response(20_000);
    } finally {
      connection.destroy();
    }
  }
  const expectFull = (answer: RawResponse): void => {
    expect(FULL, answer.body.toString().slice(0, 500)).toContain(answer.status);
    expect(JSON.parse(answer.body.toString())).toMatchObject({ error: 'storage_full', status: answer.status });
  };

  it('a raw upload is refused clearly, and keeps nothing', async () => {
    const answer = await send(
      'POST',
      '/api/v1/files?path=too-large',
      { 'x-api-key': server.apiKey },
      Buffer.alloc((DISK + 16) * MIB),
    );
    expectFull(answer);
    expect(await findByPath(server, 'too-large')).toBeUndefined();
    await collect(server);
    expect((await bucketFiles(server)).staged, 'the room is given back').toEqual([]);
    await put(server, patternBytes('room again', 8 * MIB), { path: 'room-again' });
  });

  it('a raw upload of unknown length is refused clearly', async () => {
    const connection = await rawConnect(server.url);
    const headers = { 'x-api-key': server.apiKey, 'transfer-encoding': 'chunked' };
    await connection.write(requestHead('POST', '/api/v1/files?path=endless', headers));
    const chunk = Buffer.concat([Buffer.from('100000\r\n'), Buffer.alloc(MIB), Buffer.from('\r\n')]);
    void (async () => {
      for (let index = 0; index < DISK + 16; index += 1) await connection.write(chunk);
    })().catch(() => {});
    expectFull(await connection.response(20_000));
    connection.destroy();
    expect(await findByPath(server, 'endless')).toBeUndefined();
  });

  it('by tus what was acknowledged stays, and the upload goes on when there is room', async () => {
    const ballast = await put(server, patternBytes('ballast', 32 * MIB), { path: 'ballast' });
    const bytes = patternBytes('tus', 40 * MIB);
    const address = await tusCreate(server, bytes.length, { filename: 'x', path: 'tus' });
    const headers = {
      'x-api-key': server.apiKey,
      'tus-resumable': '1.0.0',
      'content-type': 'application/offset+octet-stream',
    };
    let acknowledged = 0;
    let refused: RawResponse | undefined;
    while (!refused && acknowledged < bytes.length) {
      const body = bytes.subarray(acknowledged, acknowledged + 5 * MIB);
      const answer = await send(
        'PATCH',
        new URL(address).pathname,
        { ...headers, 'upload-offset': String(acknowledged) },
        body,
      );
      if (answer.status === 204) acknowledged = Number(answer.headers['upload-offset']);
      else refused = answer;
    }
    expect(refused, 'it can not have fitted').toBeDefined();
    expect(FULL).toContain(refused?.status);
    const told = await tusOffset(server, address);
    expect(told).toBeGreaterThanOrEqual(acknowledged);

    await server.api('DELETE', `/files/${ballast.id}`, { query: { permanent: true } });
    await collect(server);
    const offset = await tusOffset(server, address);
    const last = await tusPatch(server, address, offset, bytes.subarray(offset));
    expect(last.status, last.text).toBe(204);
    const file = (await findByPath(server, 'tus')) as FileInfo;
    await expectIntact(server, file, bytes);
    await server.api('DELETE', `/files/${file.id}`, { query: { permanent: true } });
  });

  it('a direct upload is refused clearly at the part that has no room, or at once, and can go on', async () => {
    const ballast = await put(server, patternBytes('ballast', 36 * MIB), { path: 'ballast-2' });
    const bytes = patternBytes('direct', 30 * MIB);
    const init = await initUpload(server, { fileName: 'x', size: bytes.length, path: 'direct' });
    if (init.status !== 201) {
      expect(FULL).toContain(init.status);
      return void (await server.api('DELETE', `/files/${ballast.id}`, { query: { permanent: true } }));
    }
    const upload = init.data as Multipart;
    const { parts } = (
      await signParts(
        server,
        upload.uploadId,
        Array.from({ length: upload.partCount }, (_, index) => index + 1),
      )
    ).data;
    const unsent: number[] = [];
    for (const { partNumber, url, headers } of parts) {
      const { pathname, search } = new URL(url);
      const answer = await send('PUT', `${pathname}${search}`, headers, partOf(upload, bytes, partNumber));
      if (answer.status === 200) continue;
      expectFull(answer);
      unsent.push(partNumber);
    }
    expect(unsent.length, 'it can not have fitted').toBeGreaterThan(0);
    expect((await completeUpload(server, upload.uploadId)).status).toBeLessThan(500);
    await server.api('DELETE', `/files/${ballast.id}`, { query: { permanent: true } });
    await collect(server);
    for (const { partNumber, url, headers } of parts.filter(({ partNumber: number }) => unsent.includes(number))) {
      expect((await putSigned(url, partOf(upload, bytes, partNumber), headers)).status).toBe(200);
    }
    const file = (await completeUpload(server, upload.uploadId)).data;
    await expectIntact(server, file, bytes);
    await server.api('DELETE', `/files/${file.id}`, { query: { permanent: true } });
  });

  it('does not keep anybody from reading, listing and deleting', async () => {
    const ballast: FileInfo[] = [];
    for (let index = 0; index < DISK; index += 1) {
      const answer = await send(
        'POST',
        `/api/v1/files?path=fill/${index}`,
        { 'x-api-key': server.apiKey },
        patternBytes(`fill ${index}`, 4 * MIB),
      );
      if (answer.status !== 201) break;
      ballast.push((JSON.parse(answer.body.toString()) as { data: FileInfo }).data);
    }
    expect(ballast.length).toBeGreaterThan(3);
    expect((await server.api('GET', '/files')).status).toBe(200);
    expect((await tus(server, 'OPTIONS', '/api/v1/tus')).status).toBeLessThan(300);
    for (const [index, file] of ballast.entries())
      await expectIntact(server, file, patternBytes(`fill ${index}`, 4 * MIB));
    for (const { id } of ballast) {
      expect((await server.api('DELETE', `/files/${id}`, { query: { permanent: true } })).status).toBeLessThan(300);
    }
    await collect(server);
    await put(server, patternBytes('after', 16 * MIB), { path: 'after' });
  });

  it('does not keep the server from starting again, with all that was acknowledged', async () => {
    const bytes = patternBytes('restart', DISK * MIB);
    const address = await tusCreate(server, bytes.length, { filename: 'x', path: 'restart' });
    const headers = {
      'x-api-key': server.apiKey,
      'tus-resumable': '1.0.0',
      'content-type': 'application/offset+octet-stream',
    };
    const patch = (offset: number): Promise<RawResponse> =>
      send('PATCH', new URL(address).pathname, { ...headers, 'upload-offset': String(offset) }, bytes.subarray(offset));
    expect(FULL).toContain((await patch(0)).status);
    const acknowledged = await tusOffset(server, address);
    await server.restart({ signal: 'SIGKILL' });
    expect(await tusOffset(server, address)).toBeGreaterThanOrEqual(acknowledged);
  });
});
