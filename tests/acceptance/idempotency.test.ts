import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectData, expectRefused } from '../support/api.ts';
import { times } from '../support/concurrently.ts';
import { completeUpload, initUpload, putSigned } from '../support/direct.ts';
import { expectIntact, findByPath, listAll, postForm, postRaw, put, versionsOf } from '../support/files.ts';
import { patternBytes, unique } from '../support/random.ts';
import { type Server, startServer } from '../support/server.ts';
import { TUS, tus, tusMetadata } from '../support/tus.ts';
import type { FileInfo } from '../support/wire.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

const withKey = (key: string): { headers: Record<string, string> } => ({ headers: { 'idempotency-key': key } });

describe('POST /files', () => {
  it('the same again replays the first answer and makes nothing', async () => {
    const key = unique();
    const first = await postRaw(server, 'once', { path: 'idem/once', ...withKey(key) });
    const second = await postRaw(server, 'once', { path: 'idem/once', ...withKey(key) });
    expect(second.status).toBe(201);
    expect(second.body).toEqual(first.body);
    expect(await versionsOf(server, first.data.id)).toHaveLength(1);
  });

  it('another body is refused clearly, and the first stays', async () => {
    const key = unique();
    const first = expectData(await postRaw(server, 'one', { path: 'idem/body', ...withKey(key) }), 201);
    const error = expectRefused(await postRaw(server, 'two', { path: 'idem/body', ...withKey(key) }), 409, 422);
    expect(error.error).toBe('idempotency_key_reused');
    expectRefused(await postRaw(server, 'longer than one', { path: 'idem/body', ...withKey(key) }), 409, 422);
    await expectIntact(server, first, Buffer.from('one'));
    expect(await versionsOf(server, first.id)).toHaveLength(1);
  });

  it('another path or visibility is another request', async () => {
    const key = unique();
    expectData(await postRaw(server, 'one', { path: 'idem/here', ...withKey(key) }), 201);
    expectRefused(await postRaw(server, 'one', { path: 'idem/there', ...withKey(key) }), 409, 422);
    expectRefused(
      await postRaw(server, 'one', { path: 'idem/here', visibility: 'private', ...withKey(key) }),
      409,
      422,
    );
    expect(await findByPath(server, 'idem/there')).toBeUndefined();
  });

  it('without a key, or with another one, makes a version each time', async () => {
    await put(server, 'v', { path: 'idem/plain' });
    await postRaw(server, 'v', { path: 'idem/plain', ...withKey(unique()) });
    expect((await put(server, 'v', { path: 'idem/plain' })).version).toBe(3);
  });

  it('a form sent again, with a boundary of its own, makes nothing twice', async () => {
    const key = unique();
    const first = expectData(await postForm(server, 'form', { path: 'idem/form', ...withKey(key) }), 201);
    const second = await postForm(server, 'form', { path: 'idem/form', ...withKey(key) });
    // Byte for byte it is another body; what counts is that nothing is made twice and the answer is clear.
    if (second.status === 201) expect(second.data).toEqual(first);
    else expectRefused(second, 409, 422);
    expect(await versionsOf(server, first.id)).toHaveLength(1);
    expectRefused(await postForm(server, 'other', { path: 'idem/form', ...withKey(key) }), 409, 422);
  });

  it('twenty at once make one file; each answer is that file or "still running"', async () => {
    const key = unique();
    const bytes = patternBytes(key, 300_000);
    const answers = await times(20, () => postRaw(server, bytes, { path: 'idem/at-once', ...withKey(key) }));
    for (const { status } of answers) expect([201, 409]).toContain(status);
    const made = answers.filter(({ status }) => status === 201).map(({ data }) => data);
    expect(made.length).toBeGreaterThan(0);
    for (const file of made) expect(file).toEqual(made[0]);
    expect(await versionsOf(server, made[0]?.id as string)).toHaveLength(1);
    expect((await postRaw(server, bytes, { path: 'idem/at-once', ...withKey(key) })).data).toEqual(made[0]);
  });

  it('twenty at once with different bodies make one file, whole', async () => {
    const key = unique();
    const answers = await times(20, (index) =>
      postRaw(server, `body ${index}`, { path: 'idem/clash', ...withKey(key) }),
    );
    const winners = answers.flatMap(({ status }, index) => (status === 201 ? [index] : []));
    expect(winners).toHaveLength(1);
    for (const { status } of answers) expect([201, 409, 422]).toContain(status);
    const winner = winners[0] as number;
    await expectIntact(server, (answers[winner] as { data: FileInfo }).data, Buffer.from(`body ${winner}`));
  });

  it('is remembered over a restart', async () => {
    const key = unique();
    const first = await postRaw(server, 'kept', { path: 'idem/restart', ...withKey(key) });
    await server.restart({ signal: 'SIGKILL' });
    const second = await postRaw(server, 'kept', { path: 'idem/restart', ...withKey(key) });
    expect(second.body).toEqual(first.body);
    expectRefused(await postRaw(server, 'new', { path: 'idem/restart', ...withKey(key) }), 409, 422);
  });

  it.each(['', 'x'.repeat(5000), 'tab\tinside'])('the key %j is refused or taken, without a fault', async (key) => {
    const answer = await postRaw(server, 'odd', { path: `idem/${unique()}`, ...withKey(key) });
    expect([201, 400, 431]).toContain(answer.status);
  });

  it('a refused request does not stand in the way of a right one with a new key', async () => {
    expectRefused(await postRaw(server, 'x', { path: '../out', ...withKey(unique()) }), 400);
    expectData(await postRaw(server, 'x', { path: 'idem/right', ...withKey(unique()) }), 201);
  });
});

describe('other POSTs that create', () => {
  it('init gives one upload for one key', async () => {
    const key = unique();
    const json = { fileName: 'x', size: 5, path: 'idem/init' };
    const [first, second] = [
      await initUpload(server, json, { 'idempotency-key': key }),
      await initUpload(server, json, { 'idempotency-key': key }),
    ];
    expect(second.body).toEqual(first.body);
    expectRefused(await initUpload(server, { ...json, size: 6 }, { 'idempotency-key': key }), 409, 422);
    await putSigned(first.data.url as string, Buffer.from('12345'), first.data.headers);
    expectData(await completeUpload(server, first.data.uploadId));
  });

  it('init ten times at once gives one upload', async () => {
    const key = unique();
    const path = `idem/${key}`;
    const answers = await times(10, () =>
      initUpload(server, { fileName: 'x', size: 5, path }, { 'idempotency-key': key }),
    );
    for (const { status } of answers) expect([201, 409]).toContain(status);
    const ids = answers.filter(({ status }) => status === 201).map(({ data }) => data.uploadId);
    expect(new Set(ids).size).toBe(1);
  });

  it('copy makes one copy for one key', async () => {
    const file = await put(server, 'copied', { path: 'idem/original' });
    const key = unique();
    const copy = (path: string) =>
      server.api<FileInfo>('POST', `/files/${file.id}/copy`, { json: { path }, headers: { 'idempotency-key': key } });
    const [first, second] = [await copy('idem/copy'), await copy('idem/copy')];
    expect(first.status).toBe(201);
    expect(second.body).toEqual(first.body);
    expectRefused(await copy('idem/elsewhere'), 409, 422);
    expect((await listAll(server, { folder: 'idem' })).filter(({ path }) => path.startsWith('idem/copy'))).toHaveLength(
      1,
    );
  });

  it('one key for two routes never replays the answer of the other', async () => {
    const key = unique();
    const init = expectData(await initUpload(server, { fileName: 'x', size: 1 }, { 'idempotency-key': key }), 201);
    const answer = await postRaw(server, 'x', { path: 'idem/other-route', ...withKey(key) });
    if (answer.status === 201) expect(answer.data.path).toBe('idem/other-route');
    else expectRefused(answer, 409, 422);
    expect(JSON.stringify(answer.body)).not.toContain(init.uploadId);
  });

  it('tus creation gives one upload for one key', async () => {
    const key = unique();
    const create = () =>
      tus(server, 'POST', TUS, {
        headers: { 'upload-length': '5', 'upload-metadata': tusMetadata({ filename: 'x' }), 'idempotency-key': key },
      });
    const [first, second] = [await create(), await create()];
    expect(first.status).toBe(201);
    expect(second.status).toBe(201);
    expect(second.headers.get('location')).toBe(first.headers.get('location'));
  });
});
