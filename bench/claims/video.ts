import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Bench } from '../harness/bench.ts';
import { Carcosa } from '../harness/carcosa.ts';
import type { ClaimResult, Reach } from '../harness/claim.ts';
import { compare } from '../harness/lines.ts';
import { takeTurns } from '../harness/rounds.ts';
import { simpleUpload } from '../harness/uploads.ts';

const run_ = promisify(execFile);

export const name = 'video';
export const what =
  'A film of 20 seconds (1280 × 720, 25 frames a second, with sound) as H.264 and AAC in MP4: a transform job, from its request to the result as a file, beside ' +
  'the same command of FFmpeg run by hand.';
export const reach = { transcode: { atLeastRatio: 0.95 } } satisfies Record<string, Reach>;

const OURS = 'Carcosa';
const BY_HAND = 'ffmpeg by hand';
const SECONDS = 20;

interface Job {
  id: string;
  status: string;
  error: { message: string } | null;
  results: { files: { id: string }[] }[];
}

export async function run(bench: Bench): Promise<ClaimResult> {
  if (!(await bench.program('ffmpeg'))) throw new Error('FFmpeg is not installed');
  const folder = bench.workspace.directory('video');
  const source = join(folder, 'film.mp4');
  await makeFilm(source);
  const carcosa = await Carcosa.start(bench);
  const { file } = await simpleUpload(carcosa, source, 'bench/film.mp4');
  const peer = await bench.startPeer('bare-ffmpeg', { FILE: source, TARGET: join(folder, 'by-hand.mp4') });
  const made: string[] = [];
  const result = await takeTurns(
    [
      {
        name: OURS,
        server: carcosa.server,
        measure: () => rate(async () => void made.push(...(await transcode(carcosa, file.id)))),
        after: () => carcosa.purge(made.splice(0)),
      },
      {
        name: BY_HAND,
        server: peer,
        measure: () =>
          rate(async () => {
            const answer = await fetch(`${peer.url}/make`);
            if (answer.status !== 200) throw new Error(await answer.text());
          }),
      },
    ],
    { rounds: bench.rounds },
  );
  const line = compare(result, {
    work: 'film of 720p to MP4, seconds of it',
    unit: '',
    ours: OURS,
    peer: BY_HAND,
    reach: reach.transcode,
    note: 'seconds of film a second',
  });
  return { lines: [line], turns: result.turns, details: { failures: result.failures, file: file.size } };
}

/** Seconds of film a second. */
async function rate(work: () => Promise<void>): Promise<number> {
  const begin = performance.now();
  await work();
  return SECONDS / ((performance.now() - begin) / 1000);
}

/** @returns the ids of the files that it made */
async function transcode(carcosa: Carcosa, fileId: string): Promise<string[]> {
  const json = { fileId, steps: [{ type: 'transcode', format: 'mp4' }] };
  const { data } = await carcosa.call<Job>('POST', '/api/v1/transform/jobs', 202, { json });
  for (;;) {
    const { data: job } = await carcosa.call<Job>('GET', `/api/v1/transform/jobs/${data.id}`, 200);
    if (job.status === 'completed') return job.results.flatMap(({ files }) => files.map(({ id }) => id));
    if (job.error) throw new Error(job.error.message);
    await pause(20);
  }
}

async function makeFilm(path: string): Promise<void> {
  await run_('ffmpeg', [
    ...[
      '-v',
      'error',
      '-y',
      '-f',
      'lavfi',
      '-i',
      `testsrc2=size=1280x720:rate=25:duration=${SECONDS},noise=alls=8:allf=t`,
    ],
    ...['-f', 'lavfi', '-i', `sine=frequency=440:duration=${SECONDS}`],
    ...['-c:v', 'libx264', '-preset', 'ultrafast', '-crf', '20', '-c:a', 'aac', path],
  ]);
}
