import { type ChildProcess, fork } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { CarcosaError } from '@carcosa/kernel';
import type { FactsFound, FactsReply, FactsRequest, FactsTask } from './protocol.ts';

export interface FactsLimits {
  /** Milliseconds for one file. */
  readonly timeMs: number;
  /** Bytes that the process may have in memory. */
  readonly memoryBytes: number;
  /** Milliseconds after which a process without work is ended. */
  readonly idleMs: number;
}

export const FACTS_LIMITS: FactsLimits = { timeMs: 20_000, memoryBytes: 512 * 1024 * 1024, idleMs: 15_000 };

/** Milliseconds between two looks at its memory. */
const WATCH_MS = 50;
const PAGE_SIZE = 4096;
// The same file as source (type stripping) and as build output.
const EXTENSION = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const FILE = fileURLToPath(new URL(`./facts-worker.${EXTENSION}`, import.meta.url));

/** Reads facts in a process of its own, one file at a time; it is killed when one takes too much time or memory. */
export class FactsReader {
  readonly #limits: FactsLimits;
  #child: ChildProcess | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #lastId = 0;
  #idle: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(limits: Partial<FactsLimits> = {}) {
    this.#limits = { ...FACTS_LIMITS, ...limits };
  }

  /** Process id of the worker, where there is one. */
  get worker(): number | undefined {
    return this.#child?.pid;
  }

  /** What a file says of itself; of one that cannot be read, why. @throws CarcosaError `shutting_down` */
  read(task: FactsTask): Promise<FactsFound> {
    const reading = this.#last.then(() => this.#read(task));
    this.#last = reading.catch(() => {});
    return reading;
  }

  close(): void {
    this.#isClosed = true;
    this.#end();
  }

  async #read(task: FactsTask): Promise<FactsFound> {
    if (this.#isClosed) throw new CarcosaError('shutting_down');
    clearTimeout(this.#idle);
    const reply = await this.#ask({ ...task, id: ++this.#lastId });
    if (this.#isClosed) throw new CarcosaError('shutting_down');
    this.#idle = setTimeout(() => this.#end(), this.#limits.idleMs).unref();
    if ('found' in reply) return reply.found;
    return { facts: { kind: task.kind, problem: reply.problem }, location: null, text: null };
  }

  #ask(request: FactsRequest): Promise<FactsReply | { problem: string }> {
    const child = this.#start();
    return new Promise((resolve) => {
      const settle = (reply: FactsReply | { problem: string }, isOver = false): void => {
        if ('id' in reply && reply.id !== request.id) return;
        clearTimeout(timer);
        clearInterval(watch);
        child.removeAllListeners();
        child.on('error', () => {});
        if (isOver) this.#end();
        else {
          child.unref();
          child.channel?.unref();
        }
        resolve(reply);
      };
      const timer = setTimeout(() => settle({ problem: 'it takes too long to read' }, true), this.#limits.timeMs);
      const watch = setInterval(async () => {
        if ((await residentBytes(child.pid)) > this.#limits.memoryBytes)
          settle({ problem: 'it takes too much memory to read' }, true);
      }, WATCH_MS);
      const broken = (): void => settle({ problem: 'the decoder broke down over it' }, true);
      child.ref();
      child.channel?.ref();
      child.on('message', (reply: FactsReply) => settle(reply));
      child.on('exit', broken);
      child.on('error', broken);
      child.send(request, (error) => {
        if (error) broken();
      });
    });
  }

  #start(): ChildProcess {
    if (this.#child?.connected) return this.#child;
    this.#child = fork(FILE, [], {
      execArgv: [
        '--max-old-space-size=256',
        ...(EXTENSION === 'ts' ? ['--conditions=source', '--disable-warning=ExperimentalWarning'] : []),
      ],
      // Nothing of our own environment, which holds secrets; one arena keeps what was freed from piling up.
      env: { MALLOC_ARENA_MAX: '2' },
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    return this.#child;
  }

  #end(): void {
    clearTimeout(this.#idle);
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }
}

/** 0 where it cannot be known. */
async function residentBytes(pid: number | undefined): Promise<number> {
  const statm = await readFile(`/proc/${pid}/statm`, 'utf8').catch(() => '');
  return Number(statm.split(' ')[1] ?? 0) * PAGE_SIZE;
}
