import { type ChildProcess, spawn } from 'node:child_process';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { confined } from './confinement.ts';
import type { ProcessLimits } from './process-limits.ts';

export interface BoundedCommand {
  /** The program and its arguments. */
  readonly command: readonly string[];
  /** Where it runs, and writes: a folder of its own. */
  readonly folder: string;
  readonly limits: ProcessLimits;
  /** Whether it may reach the network; absent: not. */
  readonly network?: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Takes what it prints; absent: {@link BoundedResult.stdout} has the first 4 MiB of it. */
  readonly onOutput?: (chunk: Buffer) => void;
}

export interface BoundedResult {
  /** Null where it did not end by itself. */
  readonly code: number | null;
  readonly stdout: Buffer;
  /** The last 16 KiB. */
  readonly stderr: string;
  /** Why it was ended, or that its limits did; null: it came to its end. */
  readonly ended: 'time' | 'output' | 'abort' | 'limit' | null;
}

const MAX_STDOUT = 4 * 1024 * 1024;
const MAX_STDERR = 16 * 1024;
/** Milliseconds between two looks at what was written. */
const WATCH_MS = 500;

/**
 * Runs a program that reads what others made, within limits, and in a process group of its own: what is left of the group is killed at
 * the time-out, at `signal`, and when too much was written. Never rejects for what the program does.
 * @throws Error with the code ENOENT where the program is not there
 */
export async function runBounded(input: BoundedCommand): Promise<BoundedResult> {
  const [program = '', ...args] = await confined(input.command, {
    limits: input.limits,
    network: input.network ?? false,
  });
  if (input.signal?.aborted) return { code: null, stdout: Buffer.alloc(0), stderr: '', ended: 'abort' };
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: input.folder,
      // Its own group, so that one signal reaches all that it starts.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      // Nothing of our own environment, which holds secrets.
      env: { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: input.folder, TMPDIR: input.folder, LC_ALL: 'C.UTF-8' },
    });
    const stdout = new Head(MAX_STDOUT);
    const stderr = new Tail(MAX_STDERR);
    child.stdout.on('data', input.onOutput ?? ((chunk: Buffer) => stdout.add(chunk)));
    child.stderr.on('data', (chunk: Buffer) => stderr.add(chunk));
    const guard = new Guard(child, input);
    child.on('error', (error) => {
      guard.release();
      reject(error);
    });
    child.on('close', (code, signal) => {
      guard.release();
      const ended = guard.ended ?? (signal === null && (code ?? 0) < 128 ? null : 'limit');
      resolve({ code: ended === null ? code : null, stdout: stdout.bytes, stderr: stderr.text, ended });
    });
  });
}

/** Ends the group of a process when it must end. */
class Guard {
  ended: 'time' | 'output' | 'abort' | null = null;
  readonly #child: ChildProcess;
  readonly #timer: NodeJS.Timeout;
  readonly #watch: NodeJS.Timeout;
  readonly #signal: AbortSignal | undefined;
  readonly #abort = (): void => this.#kill('abort');

  constructor(child: ChildProcess, { folder, limits, signal }: BoundedCommand) {
    this.#child = child;
    this.#signal = signal;
    this.#timer = setTimeout(() => this.#kill('time'), limits.timeMs);
    this.#watch = setInterval(() => void this.#look(folder, limits.outputBytes), WATCH_MS);
    signal?.addEventListener('abort', this.#abort);
  }

  release(): void {
    clearTimeout(this.#timer);
    clearInterval(this.#watch);
    this.#signal?.removeEventListener('abort', this.#abort);
    // What it started and did not wait for.
    this.#signalGroup();
  }

  #kill(why: 'time' | 'output' | 'abort'): void {
    this.ended ??= why;
    this.#signalGroup();
  }

  #signalGroup(): void {
    if (this.#child.pid === undefined) return;
    try {
      process.kill(-this.#child.pid, 'SIGKILL');
    } catch {
      // Nobody of the group is left.
    }
  }

  async #look(folder: string, most: number): Promise<void> {
    if ((await bytesIn(folder)) > most) this.#kill('output');
  }
}

/** Bytes of the files of a folder; of one that is gone, none. */
async function bytesIn(folder: string): Promise<number> {
  const names = await readdir(folder).catch(() => []);
  const sizes = await Promise.all(
    names.map((name) =>
      stat(join(folder, name)).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

class Head {
  readonly #chunks: Buffer[] = [];
  readonly #most: number;
  #length = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  add(chunk: Buffer): void {
    const kept = chunk.subarray(0, this.#most - this.#length);
    this.#length += kept.length;
    if (kept.length > 0) this.#chunks.push(kept);
  }
}

class Tail {
  #text = Buffer.alloc(0);
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  get text(): string {
    return this.#text.toString('utf8');
  }

  add(chunk: Buffer): void {
    this.#text = Buffer.concat([this.#text, chunk]).subarray(-this.#most);
  }
}
