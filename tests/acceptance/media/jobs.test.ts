import { readdir } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { expectData } from '../../support/api.ts';
import { makeFilm, makeMedia } from '../../support/media.ts';
import { type Server, startServer } from '../../support/server.ts';
import { describeWith } from '../../support/tools.ts';

interface Made {
  id: string;
  path: string;
  url: string;
  contentType: string;
}
interface Job {
  id: string;
  status: string;
  progress: number;
  step: string | null;
  results: { type: string; files: Made[]; data?: Record<string, number> }[];
  items: { total: number; completed: number; failed: number } | null;
  error: { error: string; message: string } | null;
}
interface Item {
  path: string;
  status: string;
  results: { files: Made[] }[];
  error: { error: string } | null;
}
interface Stored {
  id: string;
  url: string;
  path: string;
  version: number;
  contentType: string;
  facts: Record<string, unknown> | null;
  madeOf: { fileId: string; step: { type: string } } | null;
}

describeWith(['ffmpeg'], 'transform jobs', () => {
  let server: Server;
  let film: Stored;
  beforeAll(async () => {
    server = await startServer();
    film = await put('films/a.mp4', await makeFilm(6));
  }, 60_000);
  afterAll(() => server.stop());

  const put = async (where: string, body: Uint8Array, query: Record<string, string> = {}): Promise<Stored> =>
    expectData(await server.api<Stored>('POST', '/files', { query: { path: where, ...query }, body }), 201);
  const create = async (json: object): Promise<Job> =>
    expectData(await server.api<Job>('POST', '/transform/jobs', { json }), 202);
  const job = async (id: string): Promise<Job> => expectData(await server.api<Job>('GET', `/transform/jobs/${id}`));
  const read = async (id: string): Promise<Stored> => expectData(await server.api<Stored>('GET', `/files/${id}`));
  async function ended(id: string): Promise<Job> {
    await expect
      .poll(async () => (await job(id)).status, { timeout: 90_000, interval: 100 })
      .toMatch(/completed|failed|cancelled/);
    return await job(id);
  }
  const make = async (json: object): Promise<Job> => {
    const done = await ended((await create(json)).id);
    expect(done).toMatchObject({ status: 'completed', progress: 100, error: null });
    return done;
  };
  const events = async (type: string, resourceId: string) =>
    expectData(
      await server.api<{ items: { data: Record<string, unknown> }[] }>('GET', '/events', {
        query: { type, resourceId },
      }),
    ).items;

  it('makes a poster, thumbnails and a sound beside the film, and says what they were made of', async () => {
    const done = await make({
      fileId: film.id,
      steps: [
        { type: 'poster', at: 2, width: 160 },
        { type: 'thumbnails', count: 2 },
        { type: 'audio', format: 'mp3', path: 'sounds/{stem}-{version}' },
        { type: 'loudness' },
      ],
    });
    const [poster, thumbnails, audio, loudness] = done.results;
    expect(poster?.files.map((each) => each.path)).toEqual(['films/a.poster.jpg']);
    expect(thumbnails?.files.map((each) => each.path)).toEqual([
      'films/a.thumbnails/001.jpg',
      'films/a.thumbnails/002.jpg',
    ]);
    expect(audio?.files).toMatchObject([{ path: 'sounds/a-1.audio.mp3', contentType: 'audio/mpeg' }]);
    expect(loudness?.data?.integrated).toBeLessThan(0);
    const picture = await server.request(new URL(poster?.files[0]?.url ?? '').pathname);
    expect(await sharp(Buffer.from(await picture.arrayBuffer())).metadata()).toMatchObject({ width: 160, height: 90 });
    expect((await read(poster?.files[0]?.id ?? '')).madeOf).toMatchObject({
      fileId: film.id,
      step: { type: 'poster' },
    });
    for (const type of ['transform.started', 'transform.completed'])
      expect(await events(type, done.id)).toHaveLength(1);
    const [told] = await events('transform.completed', done.id);
    expect(told?.data).toMatchObject({ fileId: film.id, results: [{ type: 'poster' }, {}, {}, {}] });
    expect(await readdir(path.join(server.dataDir, 'media'))).toEqual([]);
  }, 60_000);

  it('makes a ladder whose files are found from its master playlist by their addresses', async () => {
    const done = await make({
      fileId: film.id,
      steps: [
        { type: 'hls', heights: [90, 180], segmentSeconds: 2 },
        { type: 'sprite', count: 4 },
      ],
    });
    const ladder = done.results[0]?.files ?? [];
    expect(ladder.map((each) => each.path)).toEqual(
      ['90p.mp4', '90p.m3u8', '180p.mp4', '180p.m3u8', 'master.m3u8'].map((name) => `films/a.hls/${name}`),
    );
    const master = ladder.at(-1) as Made;
    const answer = await fetch(master.url);
    expect(answer.headers.get('content-type')).toBe('application/vnd.apple.mpegurl');
    const [, low] = (await answer.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    const media = await (await fetch(new URL(low as string, master.url))).text();
    const segment = media.split('\n').find((line) => line !== '' && !line.startsWith('#')) as string;
    const map = /URI="([^"]+)",BYTERANGE="(\d+)@0"/.exec(media);
    expect(map?.[1]).toBe(segment);
    const head = await fetch(new URL(segment, master.url), { headers: { range: `bytes=0-${Number(map?.[2]) - 1}` } });
    expect(head.status).toBe(206);
    expect(head.headers.get('cache-control')).toContain('immutable');
    expect(
      Buffer.from(await head.arrayBuffer())
        .subarray(4, 8)
        .toString(),
    ).toBe('ftyp');
    const cues = await (await fetch(done.results[1]?.files[1]?.url ?? '')).text();
    const sheet = /^(\S+)#xywh=0,0,160,90$/m.exec(cues)?.[1] as string;
    expect((await fetch(new URL(sheet, master.url))).headers.get('content-type')).toBe('image/jpeg');
  }, 60_000);

  it('signs what a private ladder refers to, for as long as its own address is good, and nothing else', async () => {
    const secret = await put('private/a.mp4', await makeFilm(2), { visibility: 'private' });
    const other = await put('private/other.txt', Buffer.from('other'), { visibility: 'private' });
    const done = await make({ fileId: secret.id, steps: [{ type: 'hls', heights: [90] }] });
    const master = done.results[0]?.files.at(-1) as Made;
    expect((await fetch(master.url)).status).toBe(403);
    const sign = async (id: string): Promise<string> =>
      expectData(await server.api<{ url: string }>('POST', `/files/${id}/signed-url`, { json: { expiresIn: 60 } }), 201)
        .url;
    const follow = async (address: string): Promise<string> => {
      const answer = await fetch(address);
      expect([answer.status, answer.headers.get('cache-control')]).toEqual([200, 'private, no-store']);
      const line = (await answer.text()).split('\n').find((each) => each !== '' && !each.startsWith('#'));
      return new URL(line ?? '', address).href;
    };
    const rendition = await follow(await sign(master.id));
    const segment = await follow(rendition);
    const [end, same] = [rendition, segment].map((each) => Number(new URL(each).searchParams.get('expires')));
    expect(Math.abs((end ?? 0) - (same ?? 99))).toBeLessThanOrEqual(1);
    expect((await fetch(segment, { headers: { range: 'bytes=0-99' } })).status).toBe(206);
    expect((await fetch(segment.replace(/signature=..../, 'signature=AAAA'))).status).toBe(403);
    // Whoever can upload a playlist can name any key in it: it is not signed for that.
    const key = new URL(other.url).pathname.split('/').at(-1);
    const mine = await put('private/mine.m3u8', Buffer.from(`#EXTM3U\n${key}?v=1\n`), { visibility: 'private' });
    const text = await (await fetch(await sign(mine.id))).text();
    expect(text).toBe(`#EXTM3U\n${key}?v=1\n`);
  }, 60_000);

  it('learns facts of what comes, and finds files by them', async () => {
    const scene = (fill: string) => sharp({ create: { width: 300, height: 200, channels: 3, background: fill } });
    const located = await scene('#ff8800')
      .withExif({
        IFD0: { Make: 'Leica' },
        IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '52/1 30/1 0/1', GPSLongitudeRef: 'E', GPSLongitude: '13/1 0/1 0/1' },
      })
      .jpeg()
      .toBuffer();
    const orange = await put('facts/orange.jpg', located);
    const blue = await put('facts/blue.png', await scene('#0044cc').png().toBuffer());
    const tone = await put(
      'facts/tone.mp3',
      await makeMedia('mp3', '-f', 'lavfi', '-i', 'sine=duration=3', '-metadata', 'title=Aldebaran'),
    );
    const broken = await put('facts/broken.mp4', (await makeFilm(1)).subarray(0, 700));
    const text = await put('facts/words.txt', Buffer.from('words'));
    for (const { id } of [orange, blue, tone, broken, film])
      await expect.poll(async () => (await read(id)).facts, { timeout: 30_000 }).not.toBeNull();
    expect((await read(text.id)).facts).toBeNull();
    expect((await read(film.id)).facts).toMatchObject({
      kind: 'video',
      width: 320,
      height: 180,
      duration: expect.closeTo(6, 0),
      video: { codec: 'h264' },
      audio: { codec: 'aac' },
    });
    expect((await read(tone.id)).facts).toMatchObject({ kind: 'audio', tags: { title: 'Aldebaran' } });
    expect((await read(broken.id)).facts).toMatchObject({ kind: 'video', problem: expect.any(String) });
    const { facts } = await read(orange.id);
    expect(facts).toMatchObject({
      exif: { make: 'Leica' },
      colors: [{ share: 1 }],
      thumbhash: expect.any(String),
      perceptualHash: expect.stringMatching(/^[0-9a-f]{16}$/),
    });
    expect(JSON.stringify(facts)).not.toContain('52.5');
    const all = expectData(await server.api<{ location: unknown }>('GET', `/files/${orange.id}/facts`));
    expect(all.location).toEqual({ latitude: 52.5, longitude: 13 });
    expect(JSON.stringify(await events('file.analyzed', orange.id))).not.toContain('52.5');

    const found = async (query: Record<string, string | number>) =>
      expectData(await server.api<{ items: Stored[] }>('GET', '/files', { query: { folder: 'facts', ...query } }))
        .items.map((each) => each.path)
        .sort();
    expect(await found({ color: 'f58010' })).toEqual(['facts/orange.jpg']);
    expect(await found({ minDuration: 2.5, maxDuration: '4' })).toEqual(['facts/tone.mp3']);
    expect(await found({ minWidth: 300, maxHeight: 200, orientation: 'landscape' })).toEqual([
      'facts/blue.png',
      'facts/orange.jpg',
    ]);
    expect(
      await found({
        similarTo: (facts as { perceptualHash: string }).perceptualHash,
        maxDifference: 0,
        type: 'image/jpeg',
      }),
    ).toEqual(['facts/orange.jpg']);
    expect(await found({ text: 'nothing' })).toEqual([]);
    expect((await server.api('GET', '/files', { query: { similarTo: 'zz' } })).status).toBe(400);
  }, 60_000);

  it('says what is wrong with a source, and keeps nothing of it', async () => {
    const playlist = await put(
      'bad/list.mp4',
      Buffer.from('#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n'),
    );
    expect(
      await server.api('POST', '/transform/jobs', { json: { fileId: playlist.id, steps: [{ type: 'poster' }] } }),
    ).toMatchObject({
      status: 415,
      body: { error: 'unsupported_media_type' },
    });
    const truncated = await put('bad/cut.mp4', (await makeFilm(1)).subarray(0, 2000));
    const failed = await ended((await create({ fileId: truncated.id, steps: [{ type: 'poster' }] })).id);
    expect(failed).toMatchObject({
      status: 'failed',
      results: [],
      error: { error: 'media_unreadable', message: expect.stringMatching(/^This file cannot/) },
    });
    expect(failed.error?.message).not.toContain(server.dataDir);
    expect(await events('transform.failed', failed.id)).toHaveLength(1);
    const none = await ended((await create({ fileId: film.id, steps: [{ type: 'poster', at: 600 }] })).id);
    expect(none.error).toMatchObject({ error: 'invalid_request', message: expect.stringContaining('600 s') });
    for (const json of [
      { fileId: film.id, steps: [] },
      { fileId: film.id, steps: [{ type: 'poster', format: 'bmp' }] },
      { fileId: film.id, steps: [{ type: 'transcode', maxHeight: 101 }] },
      { fileId: film.id, steps: [{ type: 'poster', path: '{secret}' }] },
      { fileId: film.id, select: { folder: '' }, steps: [{ type: 'poster' }] },
      { steps: [{ type: 'poster' }] },
      { select: {}, steps: [{ type: 'poster' }] },
      { fileId: film.id, steps: [{ type: 'hls' }], into: 'versions' },
      { select: { folder: 'nowhere' }, steps: [{ type: 'poster' }] },
    ])
      expect([json, (await server.api('POST', '/transform/jobs', { json })).status]).toEqual([json, 400]);
    expect(
      (await server.api('POST', '/transform/jobs', { json: { fileId: 'file_x', steps: [{ type: 'poster' }] } })).status,
    ).toBe(404);
    const image = await create({ fileId: film.id, steps: [{ type: 'image', transform: 'w_10' }] }).catch(() => null);
    expect(image).toBeNull();
  }, 60_000);

  it('calls off what waits and what is being done', async () => {
    const long = await put('films/long.mp4', await makeFilm(60, '640x360'));
    const [first, second] = [
      await create({ fileId: long.id, steps: [{ type: 'transcode', format: 'webm', preset: 'slow' }] }),
      await create({ fileId: long.id, steps: [{ type: 'transcode' }] }),
    ];
    await expect.poll(async () => (await job(first.id)).progress, { timeout: 60_000 }).toBeGreaterThan(0);
    expect(await job(first.id)).toMatchObject({ status: 'processing', step: 'transcode' });
    const cancel = async (id: string) => await server.api<Job>('DELETE', `/transform/jobs/${id}`);
    expect(await cancel(second.id)).toMatchObject({ status: 200, data: { status: 'cancelled' } });
    expect((await cancel(first.id)).status).toBe(200);
    expect((await ended(first.id)).status).toBe('cancelled');
    expect(await cancel(first.id)).toMatchObject({ status: 409, body: { error: 'conflict' } });
    expect(await events('transform.cancelled', first.id)).toHaveLength(1);
    expect(await readdir(path.join(server.dataDir, 'media'))).toEqual([]);
  }, 120_000);

  it('does a batch over a folder, file by file, and goes on after a crash', async () => {
    const picture = (n: number) =>
      sharp({ create: { width: 40 + n, height: 30, channels: 3, background: '#456' } })
        .png()
        .toBuffer();
    for (let n = 0; n < 12; n++) await put(`batch/${String(n).padStart(2, '0')}.png`, await picture(n));
    await put('batch/05x.png', Buffer.from('\x89PNG\r\n\x1a\n and no more', 'latin1'));
    await put('batch/film.mp4', await makeFilm(1));
    const { id } = await create({
      select: { folder: 'batch', type: 'image/*' },
      steps: [{ type: 'image', transform: 'w_20,f_webp' }],
    });
    await expect
      .poll(async () => (await job(id)).items?.completed, { timeout: 30_000, interval: 20 })
      .toBeGreaterThan(0);
    await server.restart({ signal: 'SIGKILL' });
    const done = await ended(id);
    expect(done).toMatchObject({ status: 'completed', items: { total: 13, completed: 12, failed: 1 } });
    const { items } = expectData(await server.api<{ items: Item[] }>('GET', `/transform/jobs/${id}/items`));
    expect(items.map((each) => each.path)).toEqual([...items.map((each) => each.path)].sort());
    expect(items.filter(({ status }) => status === 'failed')).toMatchObject([
      { path: 'batch/05x.png', error: { error: 'image_unreadable' } },
    ]);
    expect(items[0]?.results[0]?.files).toMatchObject([{ path: 'batch/00.20x15.webp', contentType: 'image/webp' }]);
    // A second batch takes the sources, not what the first has made; as new versions this time.
    const { id: again } = await create({
      select: { folder: 'batch', type: 'image/png' },
      steps: [{ type: 'image', transform: 'w_10' }],
      into: 'versions',
    });
    expect(await ended(again)).toMatchObject({ items: { total: 13, completed: 12, failed: 1 } });
    const [first] = expectData(await server.api<{ items: Item[] }>('GET', `/transform/jobs/${again}/items`)).items;
    expect(first?.results[0]?.files).toMatchObject([{ path: 'batch/00.png', version: 2 }]);
  }, 180_000);
});
