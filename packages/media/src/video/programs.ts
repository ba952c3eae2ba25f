import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { CarcosaError } from '@carcosa/kernel';

const run = promisify(execFile);

/** Where the programs of FFmpeg are on this machine. */
export interface MediaPrograms {
  readonly ffmpeg: string;
  readonly ffprobe: string;
}

/** @throws CarcosaError `program_missing`, which names the package to install */
export function findMediaPrograms(path: string): MediaPrograms {
  const [ffmpeg, ffprobe] = ['ffmpeg', 'ffprobe'].map((name) => findProgram(name, path));
  if (!ffmpeg || !ffprobe) {
    throw new CarcosaError('program_missing', {
      message:
        'Video and audio need FFmpeg, which is not installed here: on Debian and Ubuntu "apt-get install ffmpeg", on macOS "brew install ffmpeg".',
      details: { package: 'ffmpeg' },
    });
  }
  return { ffmpeg, ffprobe };
}

function findProgram(name: string, path: string): string | null {
  for (const folder of path.split(delimiter)) {
    const file = join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not in this one.
    }
  }
  return null;
}

const encoders = new Map<string, Promise<ReadonlySet<string>>>();

/** Names of the encoders that this build has. */
export function encodersOf({ ffmpeg }: MediaPrograms): Promise<ReadonlySet<string>> {
  const known = encoders.get(ffmpeg) ?? listEncoders(ffmpeg);
  encoders.set(ffmpeg, known);
  known.catch(() => encoders.delete(ffmpeg));
  return known;
}

async function listEncoders(ffmpeg: string): Promise<ReadonlySet<string>> {
  const { stdout } = await run(ffmpeg, ['-hide_banner', '-encoders'], { timeout: 20_000 });
  return new Set([...stdout.matchAll(/^ [VAS][A-Z.]{5} (\S+)/gm)].map((match) => match[1] as string));
}
