import { CarcosaError, type File as StoredFile, type UploadOptions } from '@carcosa/sdk';
import type { NodeUploadInput } from '@carcosa/sdk/node';
import { CommandFailure, EXIT, exitCodeOf } from '../exit-codes.ts';
import type { Client, Context } from './context.ts';
import { ProgressBar } from './progress-bar.ts';

export interface Transfer {
  /** How messages name it. */
  readonly name: string;
  readonly input: NodeUploadInput;
  readonly size: number;
  readonly options: UploadOptions;
}

export interface TransferResult {
  readonly name: string;
  readonly ok: boolean;
  readonly file?: StoredFile;
  readonly error?: { error: string; message: string };
}

/** So many uploads are begun at once; the client's own limit decides how many of them go. */
const BATCH = 512;

/** Uploads all, with a bar. One that fails does not stop the others. */
export async function uploadAll(
  context: Context,
  client: Client,
  transfers: readonly Transfer[],
): Promise<TransferResult[]> {
  const results: TransferResult[] = [];
  const moving = new Set<{ progress: { bytes: number; speed: number } }>();
  let bytesDone = 0;
  const total = transfers.reduce((sum, { size }) => sum + size, 0);
  const bar = new ProgressBar(process.stderr, !context.output.isJson, () => {
    const progresses = [...moving].map(({ progress }) => progress);
    const add = (key: 'bytes' | 'speed'): number => progresses.reduce((sum, each) => sum + each[key], 0);
    const done = { files: transfers.length, filesDone: results.length };
    return { ...done, bytes: total, bytesDone: bytesDone + add('bytes'), speed: add('speed') };
  });
  const transfer = async ({ name, input, size, options }: Transfer): Promise<void> => {
    const task = client.upload(input, options);
    moving.add(task);
    try {
      results.push({ name, ok: true, file: await task });
    } catch (error) {
      if (isHopeless(error)) throw error;
      results.push({ name, ok: false, error: wordsOf(error) });
    } finally {
      moving.delete(task);
      bytesDone += size;
    }
  };
  const waiting = transfers.values();
  const lane = async (): Promise<void> => {
    for (const each of waiting) await transfer(each);
  };
  try {
    await Promise.all(Array.from({ length: Math.min(BATCH, transfers.length) }, lane));
  } finally {
    bar.end();
  }
  return results;
}

/** What fails for one will fail for all. */
const isHopeless = (error: unknown): boolean =>
  exitCodeOf(error) === EXIT.refused || (error instanceof CarcosaError && error.code === 'network_error');

export function wordsOf(error: unknown): { error: string; message: string } {
  const { code = 'failed', message } = error as { code?: string; message: string };
  return { error: code, message };
}

/** Ends the command as its parts ended: one that failed alone with its own reason, of several with 7. */
export function assertAllWorked(context: Context, results: readonly TransferResult[]): void {
  const failed = results.filter(({ ok }) => !ok);
  for (const { name, error } of failed) context.output.say(`${name}: ${error?.message}`);
  if (failed.length === 0) return;
  const exitCode = failed.length < results.length ? EXIT.partial : EXIT.rejected;
  throw new CommandFailure(`${failed.length} of ${results.length} did not work.`, exitCode);
}
