import { spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Exit } from './process.ts';

export interface TusClientOrder {
  endpoint: string;
  apiKey: string;
  file: string;
  /** Where the client keeps the addresses of unfinished uploads. */
  storage: string;
  chunkSize: number;
  metadata: Record<string, string>;
}

interface Line {
  accepted?: number;
  fileId?: string;
  resumedFrom?: number;
  error?: string;
}

export interface TusClientProcess {
  /** Every acknowledged offset so far. */
  readonly accepted: number[];
  /** Settles once the server has acknowledged `bytes` of them, or the process has ended. */
  reached(bytes: number): Promise<void>;
  kill(signal: NodeJS.Signals): Promise<Exit>;
  readonly exited: Promise<Exit>;
  /** What the last line said. */
  readonly result: Line | undefined;
  /** What it printed as errors. */
  readonly errors: string;
}

/** Runs tus-js-client in a process of its own. */
export function startTusClient(order: TusClientOrder): TusClientProcess {
  const script = path.join(import.meta.dirname, 'tus-client-process.ts');
  const args = ['--disable-warning=ExperimentalWarning', script, JSON.stringify(order)];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const accepted: number[] = [];
  const waiting = new Set<() => void>();
  let errors = '';
  let result: Line | undefined;
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  createInterface({ input: child.stdout }).on('line', (text) => {
    const line = JSON.parse(text) as Line;
    if (line.accepted !== undefined) accepted.push(line.accepted);
    if (line.error !== undefined) errors += `${line.error}\n`;
    if (line.fileId !== undefined) result = line;
    for (const look of waiting) look();
  });
  let ended = false;
  const exited = new Promise<Exit>((resolve) => {
    child.once('close', (code, signal) => {
      ended = true;
      for (const look of waiting) look();
      resolve({ code, signal });
    });
  });
  return {
    accepted,
    exited,
    reached: (bytes) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (!ended && (accepted.at(-1) ?? -1) < bytes) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      }),
    kill: (signal) => {
      child.kill(signal);
      return exited;
    },
    get result() {
      return result;
    },
    get errors() {
      return errors;
    },
  };
}
