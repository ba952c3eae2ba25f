import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { initUpload } from '../support/direct.ts';
import { DOOR_NAMES, DOORS } from '../support/doors.ts';
import { expectIntact, expectSame, listAll, postForm, postRaw, put, serve } from '../support/files.ts';
import { anyText, FORBIDDEN_PATHS, ODD_PATHS } from '../support/odd-names.ts';
import { unique } from '../support/random.ts';
import { type Server, startServer } from '../support/server.ts';
import { TUS, tus, tusMetadata } from '../support/tus.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

const short = (text: string): string => JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);

describe('odd names that are names', () => {
  it.each(DOOR_NAMES)('come back byte for byte through the door %s', async (door) => {
    // Each door gets contents of its own, so that a name that lands on another one's file shows.
    const bytes = (path: string): Buffer => Buffer.from(`${door}:${path}`);
    for (const path of ODD_PATHS) {
      const file = await DOORS[door](server, path, bytes(path));
      expect(file.path, short(path)).toBe(path);
      expect(file.name).toBe(path.split('/').at(-1));
    }
    const listed = new Map((await listAll(server)).map((file) => [file.path, file]));
    for (const path of ODD_PATHS) {
      const file = listed.get(path);
      expect(file, `${short(path)} is listed`).toBeDefined();
      if (file) await expectIntact(server, file, bytes(path));
    }
  });

  it('no two of them met', async () => {
    const files = (await listAll(server)).filter(({ path }) => ODD_PATHS.includes(path));
    expect(files).toHaveLength(ODD_PATHS.length);
    expect(new Set(files.map(({ key }) => key)).size).toBe(ODD_PATHS.length);
    expect(files.every(({ version }) => version === DOOR_NAMES.length)).toBe(true);
  });

  it.each([
    ['NFC and NFD', 'twins/\u00e9', 'twins/e\u0301'],
    ['upper and lower case', 'twins/Readme', 'twins/README'],
    ['a dot at the end', 'twins/dot', 'twins/dot.'],
    ['a space at the end', 'twins/space', 'twins/space '],
    ['an escape and what it stands for', 'twins/a b', 'twins/a%20b'],
    ['dotless and dotted i', 'twins/ı', 'twins/i'],
    ['full width', 'twins/A', 'twins/Ａ'],
    ['a folder and a file of one name', 'twins/same', 'twins/same/inside'],
    ['backslash and slash', 'twins/x\\y', 'twins/x/y'],
  ])('twins by %s are two files', async (_, one, other) => {
    const [first, second] = [
      await put(server, `1 ${one}`, { path: one }),
      await put(server, `2 ${other}`, { path: other }),
    ];
    expect(second.id).not.toBe(first.id);
    await expectIntact(server, first, Buffer.from(`1 ${one}`));
    await expectIntact(server, second, Buffer.from(`2 ${other}`));
  });
});

describe('paths that lead elsewhere or name nothing', () => {
  it.each(FORBIDDEN_PATHS.map((path) => [short(path), path]))('%s is refused at every door', async (_, path) => {
    const json = { fileName: 'x.txt', size: 1, path };
    expect((await postRaw(server, 'x', { path })).status).toBe(400);
    expect((await initUpload(server, json)).status).toBe(400);
    const headers = { 'upload-length': '1', 'upload-metadata': tusMetadata({ filename: 'x', path }) };
    expect((await tus(server, 'POST', TUS, { headers })).status).toBe(400);
    // A form can't carry a lone line break: it is normalized to CR LF, which is as bad.
    expect((await postForm(server, 'x', { path })).status).toBe(400);
  });

  it('are refused as the new place of a file too', async () => {
    const file = await put(server, 'stays', { path: `move/${unique()}` });
    for (const path of FORBIDDEN_PATHS) {
      expect((await server.api('PATCH', `/files/${file.id}`, { json: { path } })).status, short(path)).toBe(400);
      expect((await server.api('POST', `/files/${file.id}/copy`, { json: { path } })).status, short(path)).toBe(400);
    }
    for (const name of ['a/b', '../x', '', '.', '..', 'nul\u0000']) {
      expect((await server.api('PATCH', `/files/${file.id}`, { json: { name } })).status, short(name)).toBe(400);
    }
  });

  it('as the name in a form or in tus never leave the root', async () => {
    for (const fileName of [
      '../../../../tmp/carcosa-escape',
      '/tmp/carcosa-escape',
      '..',
      'a/../../b',
      'nul\u0000byte',
    ]) {
      const answer = await postForm(server, 'x', { fileName });
      expect([201, 400], short(fileName)).toContain(answer.status);
      const headers = { 'upload-length': '1', 'upload-metadata': tusMetadata({ filename: fileName }) };
      expect([201, 400], short(fileName)).toContain((await tus(server, 'POST', TUS, { headers })).status);
    }
    expect((await serve(server, '/ready')).status).toBe(200);
  });

  it('that are not UTF-8 are refused', async () => {
    const response = await server.request('/api/v1/files?path=%ff%fe%c0%af', {
      method: 'POST',
      headers: { 'x-api-key': server.apiKey, 'content-type': 'text/plain' },
      body: 'x',
    });
    // A server may read the bytes as U+FFFD; then the name is odd, but it is a name.
    expect([201, 400]).toContain(response.status);
    const metadata = `filename ${Buffer.from([0xff, 0xfe, 0x41]).toString('base64')}`;
    const answer = await tus(server, 'POST', TUS, { headers: { 'upload-length': '1', 'upload-metadata': metadata } });
    expect([201, 400]).toContain(answer.status);
    expect((await initUpload(server, { fileName: 'x', size: 1, path: 'lone \ud800 surrogate' })).status).toBe(400);
  });
});

describe('any text as a path', () => {
  it('is refused clearly or kept exactly, and never breaks the server', async () => {
    await fc.assert(
      fc.asyncProperty(anyText, async (path) => {
        const prefixed = `any-${unique()}/${path}`;
        const answer = await postRaw(server, Buffer.from(path), { path: prefixed });
        if (answer.status === 400) return;
        expect(answer.status).toBe(201);
        expect(answer.data.path).toBe(prefixed);
        expectSame((await serve(server, answer.data.url)).bytes, Buffer.from(path));
      }),
      { numRuns: 120 },
    );
  });
});
