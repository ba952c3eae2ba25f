import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from '../harness/bench.ts';
import { Carcosa } from '../harness/carcosa.ts';
import type { ClaimResult, Line, Reach } from '../harness/claim.ts';
import { wrk } from '../harness/clients.ts';
import { compare, limit } from '../harness/lines.ts';
import {
  likeness,
  linkCopies,
  makeBomb,
  makePhoto,
  peaksOf,
  peakWhile,
  pictureProcesses,
} from '../harness/pictures.ts';
import { type Contestant, type RoundsResult, takeTurns } from '../harness/rounds.ts';
import type { ServerProcess } from '../harness/server-process.ts';
import { simpleUpload } from '../harness/uploads.ts';
import { startNginx } from '../peers/nginx.ts';

export const name = 'transforms';
export const what =
  'A JPEG of 12 megapixels and about 4 MB as WebP of 800 pixels, quality 80: sixteen pictures for the first time, in a second size (640 pixels), ' +
  'and one for all; and once more when it is made. The peers are ipx, sharp in a bare server, and nginx with the result as a static file and with its ' +
  'image_filter, which writes JPEG. None of them asks who may. imgproxy cannot be had here.';
export const reach = {
  first: { atLeastRatio: 1.4 },
  second: { atLeastRatio: 2.2 },
  equal: { atLeastRatio: 8 },
  repeated: { atLeastRatio: 0.8 },
} satisfies Record<string, Reach>;

const OURS = 'Carcosa';
const IPX = 'ipx';
const SHARP = 'bare sharp';
const NGINX = 'nginx';
const FILTER = 'nginx image_filter';
const PICTURES = 16;
const UNIT = 'requests/s';
const ADMIN = { CARCOSA_ADMIN_EMAIL: 'bench@example.com', CARCOSA_ADMIN_PASSWORD: 'a bench needs no secret 1' };

interface Place {
  readonly server: ServerProcess;
  /** The address of one of the sixteen pictures. */
  address(picture: number, width: number): string;
}

export async function run(bench: Bench): Promise<ClaimResult> {
  const root = bench.workspace.directory('transforms');
  const source = join(root, 'photo.jpg');
  await makePhoto(source);
  linkCopies(source, root, PICTURES);
  const carcosa = await startOurs(bench, source);
  const nginx = await startNginx(bench, { pictures: root });
  const places: Record<string, Place> = {
    [OURS]: { server: carcosa.server, address: (picture, width) => ours(carcosa, picture, `w_${width},f_webp`) },
    [IPX]: await placeOf(bench, 'ipx', { ROOT: root }, (at, width) => `/f_webp,q_80,w_${width}/${at}.jpg`),
    [SHARP]: await placeOf(bench, 'bare-sharp', { FILE: source }, (_at, width) => `/?w=${width}`),
    ...(nginx?.filters && {
      [FILTER]: { server: nginx.server, address: (at, width) => `${nginx.server.url}/filtered/${width}/${at}.jpg` },
    }),
  };
  const held = await memory(carcosa, root);
  const results = await makeAll(bench, carcosa, places);
  const repeated = await repeat(bench, carcosa, nginx);
  const peers = [IPX, SHARP, ...(places[FILTER] ? [FILTER] : [])];
  const lines = Object.entries(results).flatMap(([work, { result, reach }]) =>
    peers.map((peer) =>
      compare(result, {
        work: `12 MP JPEG to WebP, ${work}`,
        unit: UNIT,
        ours: OURS,
        peer,
        ...(peer === FILTER ? {} : { reach }),
      }),
    ),
  );
  const all = { ...Object.fromEntries(Object.entries(results).map(([work, { result }]) => [work, result])), repeated };
  return {
    lines: [
      ...lines,
      compare(repeated, {
        work: 'the same picture again, 16 at a time',
        unit: UNIT,
        ours: OURS,
        peer: NGINX,
        reach: reach.repeated,
      }),
      ...(await alike(places, source)),
      ...(await avif(carcosa)),
      ...held,
    ],
    turns: Object.fromEntries(
      Object.entries(all).flatMap(([work, { turns }]) =>
        Object.entries(turns).map(([who, each]) => [`${work}: ${who}`, each]),
      ),
    ),
    details: { failures: Object.assign({}, ...Object.values(all).map(({ failures }) => failures)) },
  };
}

/** Sixteen files of their own, which anybody may ask for as often as they like. */
async function startOurs(bench: Bench, source: string): Promise<Carcosa> {
  const carcosa = await Carcosa.start(bench, { env: ADMIN });
  const json = { email: ADMIN.CARCOSA_ADMIN_EMAIL, password: ADMIN.CARCOSA_ADMIN_PASSWORD };
  const { data } = await carcosa.call<{ accessToken: string }>('POST', '/api/v1/auth/login', 200, { json });
  const headers = { Authorization: `Bearer ${data.accessToken}` };
  await carcosa.call('PATCH', '/api/v1/rate-limits', 200, { headers, json: { transform: null, expensive: null } });
  for (let picture = 0; picture < PICTURES; picture++) await simpleUpload(carcosa, source, `${picture}.jpg`);
  return carcosa;
}

const ours = (carcosa: Carcosa, picture: number, steps: string): string =>
  `${carcosa.url}/t/${carcosa.projectId}/${steps}/${picture}.jpg`;

async function placeOf(
  bench: Bench,
  file: string,
  env: Record<string, string>,
  path: (picture: number, width: number) => string,
): Promise<Place> {
  const server = await bench.startPeer(file, env);
  return { server, address: (picture, width) => `${server.url}${path(picture, width)}` };
}

async function makeAll(bench: Bench, carcosa: Carcosa, places: Record<string, Place>) {
  const turns = (measure: (place: Place) => Promise<number>, before: () => Promise<unknown>): Promise<RoundsResult> => {
    const contestants = Object.entries(places).map(
      ([name, place]): Contestant => ({ name, server: place.server, measure: () => measure(place) }),
    );
    return takeTurns(contestants, { rounds: bench.rounds, before: async () => void (await before()) });
  };
  const results: Record<string, { result: RoundsResult; reach: Reach }> = {};
  for (const atOnce of [1, 4, 16]) {
    const measure = (place: Place) => rate((picture) => place.address(picture, 800), atOnce);
    results[`first time, ${atOnce} at once`] = {
      result: await turns(measure, () => forget(carcosa)),
      reach: reach.first,
    };
  }
  const second = (place: Place) => rate((picture) => place.address(picture, 640), 4);
  results['a second size, 4 at once'] = { result: await turns(second, () => showFirst(carcosa)), reach: reach.second };
  const equal = (place: Place) => rate(() => place.address(0, 800), PICTURES);
  results['16 equal requests at once'] = { result: await turns(equal, () => forget(carcosa)), reach: reach.equal };
  return results;
}

/** Pictures a second, all sixteen of them. */
async function rate(address: (picture: number) => string, atOnce: number): Promise<number> {
  const begin = performance.now();
  let next = 0;
  const client = async (): Promise<void> => {
    while (next < PICTURES) await fetched(address(next++));
  };
  await Promise.all(Array.from({ length: atOnce }, client));
  return PICTURES / ((performance.now() - begin) / 1000);
}

async function fetched(address: string): Promise<Buffer> {
  const answer = await fetch(address);
  const bytes = Buffer.from(await answer.arrayBuffer());
  if (answer.status !== 200 || bytes.length < 1000) throw new Error(`${address} answered ${answer.status}`);
  return bytes;
}

async function counted(carcosa: Carcosa, pattern: RegExp): Promise<number> {
  const text = await (await fetch(`${carcosa.url}/metrics`)).text();
  return Number(pattern.exec(text)?.[1] ?? Number.NaN);
}

/** As if no picture had ever been asked for. */
async function forget(carcosa: Carcosa): Promise<void> {
  await until(async () => {
    await carcosa.call('POST', `/api/v1/projects/${carcosa.projectId}/purge-transforms`, 204);
    return (await counted(carcosa, /^carcosa_transform_cache_entries (\d+)/m)) === 0;
  });
}

/** As when the first size of each has been shown for a while. */
async function showFirst(carcosa: Carcosa): Promise<void> {
  const copies = /^carcosa_transform_copies_total\{event="made"\} (\d+)/m;
  await forget(carcosa);
  const before = await counted(carcosa, copies);
  await rate((picture) => ours(carcosa, picture, 'w_800,f_webp'), 4);
  await until(async () => (await counted(carcosa, copies)) >= before + PICTURES);
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 60_000;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error('it did not come to rest within a minute');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** The result as it is kept, beside nginx with the same bytes as a file. */
async function repeat(
  bench: Bench,
  carcosa: Carcosa,
  nginx: Awaited<ReturnType<typeof startNginx>>,
): Promise<RoundsResult> {
  const program = await bench.program('wrk');
  const address = ours(carcosa, 0, 'w_800,f_webp');
  const measure = (url: string) => () => {
    if (program === null) throw new Error('wrk could not be had');
    return wrk(program, { url, connections: 16, seconds: 4 });
  };
  const contestants = [{ name: OURS, server: carcosa.server, measure: measure(address) }];
  if (nginx) {
    writeFileSync(join(nginx.root, 'made.webp'), await fetched(address));
    contestants.push({ name: NGINX, server: nginx.server, measure: measure(`${nginx.server.url}/made.webp`) });
  }
  return await takeTurns(contestants, { rounds: bench.rounds });
}

/** Whether what is compared is the same work: how near results come to the original, and their bytes. */
async function alike(places: Record<string, Place>, source: string): Promise<Line[]> {
  const [mine, theirs] = await Promise.all([OURS, IPX].map((who) => fetched((places[who] as Place).address(0, 800))));
  if (!mine || !theirs) return [];
  const [near, far] = [await likeness(mine, source), await likeness(theirs, source)];
  const note = (unit: string, one: number, other: number) => `${one.toFixed(2)} and ${other.toFixed(2)} ${unit}`;
  return [
    limit('likeness lost beside ipx (PSNR, dB)', '', Math.max(0, far - near), 0.1, note('dB', near, far)),
    limit(
      'size beside that of ipx',
      '',
      mine.length / theirs.length,
      1.02,
      note('kB', mine.length / 1000, theirs.length / 1000),
    ),
  ];
}

async function avif(carcosa: Carcosa): Promise<Line[]> {
  const sizes: Record<string, number> = {};
  const rates: Record<string, number> = {};
  for (const format of ['webp', 'avif', 'webp', 'avif']) {
    await forget(carcosa);
    rates[format] = Math.max(
      rates[format] ?? 0,
      await rate((picture) => ours(carcosa, picture, `w_800,f_${format}`), 4),
    );
    sizes[format] = (await fetched(ours(carcosa, 0, `w_800,f_${format}`))).length;
  }
  const { webp = 0, avif: other = 0 } = rates;
  return [
    limit('time of AVIF beside WebP, first time, 4 at once', '', webp / other, 1.5),
    limit('size of AVIF beside WebP', '', (sizes.avif ?? 0) / (sizes.webp ?? 1), 1),
  ];
}

/** In MB: of the server and the processes that make pictures together, and what a bomb adds to each of them. */
async function memory(carcosa: Carcosa, root: string): Promise<Line[]> {
  await forget(carcosa);
  const { pid } = carcosa.server;
  const sixteen = (): Promise<number> => rate((at) => ours(carcosa, at, 'w_800,f_webp'), PICTURES);
  const thrice = async (): Promise<void> => {
    for (let time = 0; time < 3; time++) {
      await forget(carcosa);
      await sixteen();
    }
  };
  const peak = await peakWhile(() => pictureProcesses(pid), thrice);
  const bomb = join(root, 'bomb.png');
  writeFileSync(bomb, await makeBomb());
  await simpleUpload(carcosa, bomb, 'bomb.png');
  const processes = pictureProcesses(pid);
  const before = peaksOf(processes);
  const addresses = processes.map((_pid, at) => `${carcosa.url}/t/${carcosa.projectId}/w_${800 + at},f_webp/bomb.png`);
  const statuses = await Promise.all(addresses.map(async (address) => (await fetch(address)).status));
  if (statuses.some((status) => status !== 413)) throw new Error(`the bomb was answered with ${statuses}`);
  const added = peaksOf(processes).map((size, at) => size - (before[at] ?? 0));
  return [
    limit('memory at 16 at once, server and picture processes', 'MB', peak, 300),
    limit('a bomb adds to the process that meets it', 'MB', Math.max(...added.slice(1)), 150),
    limit('a bomb adds to the server', 'MB', added[0] ?? Number.NaN, 10),
  ];
}
