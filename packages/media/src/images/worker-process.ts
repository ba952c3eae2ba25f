import { type ChildProcess, fork } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { ImageLimits } from './limits.ts';
import type { AnyTask, ImageReply, ImageRequest } from './protocol.ts';

/** How a task ended: with the worker's answer, or with the worker. */
export type Outcome = ImageReply | { readonly ended: 'time' | 'memory' | 'crash' };

interface Running {
  readonly id: number;
  readonly timer: NodeJS.Timeout;
  readonly watch: NodeJS.Timeout;
  settle(outcome: Outcome): void;
}

/** Milliseconds between two looks at the memory of a worker that works. */
const WATCH_MS = 50;
const PAGE_SIZE = 4096;
/** Memory from this size on goes back to the system as soon as it is free. */
const LARGE_BYTES = 1024 * 1024;
// The same file as source (type stripping) and as build output.
const EXTENSION = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const FILE = fileURLToPath(new URL(`./image-worker.${EXTENSION}`, import.meta.url));

/** One process that makes pictures, one at a time; it is killed when one takes too much time or memory. */
export class WorkerProcess {
  readonly #child: ChildProcess;
  readonly #limits: ImageLimits;
  #running: Running | undefined;
  #isAlive = true;

  constructor(limits: ImageLimits) {
    this.#limits = limits;
    this.#child = fork(FILE, [], {
      execArgv: [
        '--max-old-space-size=64',
        '--max-semi-space-size=1',
        ...(EXTENSION === 'ts' ? ['--conditions=source', '--disable-warning=ExperimentalWarning'] : []),
      ],
      // Nothing of our own environment, which holds secrets. Few arenas, and large pieces of their own, keep what was freed from
      // piling up: a sixth of the memory, at no cost in time.
      env: {
        MALLOC_ARENA_MAX: '2',
        MALLOC_MMAP_THRESHOLD_: String(LARGE_BYTES),
        MALLOC_TRIM_THRESHOLD_: String(4 * LARGE_BYTES),
      },
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    this.#child.on('message', (reply: ImageReply) => this.#settle(reply));
    this.#child.on('exit', () => this.#end('crash'));
    this.#child.on('error', () => this.#end('crash'));
    this.#idle();
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Never rejects. One at a time. */
  run(id: number, task: AnyTask): Promise<Outcome> {
    return new Promise((settle) => {
      this.#child.ref();
      this.#child.channel?.ref();
      this.#running = {
        id,
        settle,
        timer: setTimeout(() => this.#end('time'), this.#limits.timeMs),
        watch: setInterval(() => void this.#watch(), WATCH_MS),
      };
      const request: ImageRequest = { ...task, id, limits: this.#limits };
      this.#child.send(request, (error) => {
        if (error) this.#end('crash');
      });
    });
  }

  kill(): void {
    this.#end('crash');
  }

  #settle(outcome: Outcome): void {
    const running = this.#running;
    if (!running || ('id' in outcome && outcome.id !== running.id)) return;
    this.#running = undefined;
    clearTimeout(running.timer);
    clearInterval(running.watch);
    this.#idle();
    running.settle(outcome);
  }

  #end(ended: 'time' | 'memory' | 'crash'): void {
    if (this.#isAlive) {
      this.#isAlive = false;
      this.#child.kill('SIGKILL');
    }
    this.#settle({ ended });
  }

  /** A worker without work keeps no process alive. */
  #idle(): void {
    this.#child.unref();
    this.#child.channel?.unref();
  }

  /** Where the system tells how much memory others have; elsewhere the limits of pixels and time have to do. */
  async #watch(): Promise<void> {
    const text = await readFile(`/proc/${this.pid}/statm`, 'utf8').catch(() => '');
    const resident = Number(text.split(' ')[1] ?? 0) * PAGE_SIZE;
    if (resident > this.#limits.memoryBytes && this.#running) this.#end('memory');
  }
}
