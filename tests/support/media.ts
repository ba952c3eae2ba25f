import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What FFmpeg makes of these arguments, as bytes: sources of tests come from its own generators (lavfi). */
export async function makeMedia(extension: string, ...args: string[]): Promise<Buffer> {
  const folder = await mkdtemp(path.join(tmpdir(), 'carcosa-made-'));
  try {
    const file = path.join(folder, `made.${extension}`);
    await run('ffmpeg', ['-v', 'error', '-y', ...args, file]);
    return await readFile(file);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A film of `seconds` with a tone: H.264 and AAC in MP4, a key frame each second. */
export const makeFilm = (seconds: number, size = '320x180'): Promise<Buffer> =>
  makeMedia(
    'mp4',
    ...['-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=25:duration=${seconds}`],
    ...['-f', 'lavfi', '-i', `sine=frequency=440:duration=${seconds}`],
    ...['-c:v', 'libx264', '-preset', 'ultrafast', '-g', '25', '-c:a', 'aac'],
  );
