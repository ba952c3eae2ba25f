import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { CarcosaError, cancelled } from '../errors.ts';
import { systemTiming } from '../timing.ts';
import { Slots } from './slots.ts';
import { type RunUpload, UploadTask } from './task.ts';

/** An upload whose runs end when the test says so. */
function begin(slots = new Slots(1), signal?: AbortSignal) {
  const runs: { finish(result: string): void; fail(error: unknown): void; aborted: boolean }[] = [];
  let discards = 0;
  const run: RunUpload<string> = (_meter, runSignal) =>
    new Promise((resolve, reject) => {
      const entry = { finish: resolve, fail: reject, aborted: false };
      runs.push(entry);
      runSignal.addEventListener('abort', () => {
        entry.aborted = true;
        reject(cancelled());
      });
    });
  const discard = async (): Promise<void> => {
    discards++;
  };
  const task = new UploadTask<string>({
    name: 'a',
    run,
    discard,
    isPausable: () => true,
    slots,
    timing: systemTiming,
    signal,
  });
  return { task, runs, discards: () => discards };
}

describe('UploadTask', () => {
  it('becomes what its run gives', async () => {
    const { task, runs } = begin();
    expect(task.state).toBe('waiting');
    await turn();
    expect(task.state).toBe('uploading');
    runs[0]?.finish('file');
    expect(await task).toBe('file');
    expect([task.state, task.result]).toEqual(['completed', 'file']);
  });

  it('stops its run while it is paused, and runs again', async () => {
    const { task, runs } = begin();
    await turn();
    task.pause();
    expect([task.state, runs[0]?.aborted]).toEqual(['paused', true]);
    await turn();
    task.resume();
    await turn();
    expect(runs).toHaveLength(2);
    runs[1]?.finish('file');
    expect(await task).toBe('file');
  });

  it('leaves its place to others while it is paused', async () => {
    const slots = new Slots(1);
    const first = begin(slots);
    const second = begin(slots);
    await turn();
    expect([first.runs.length, second.runs.length]).toEqual([1, 0]);
    first.task.pause();
    await turn();
    expect(second.task.state).toBe('uploading');
    first.task.resume();
    await turn();
    expect(first.task.state).toBe('waiting');
    second.runs[0]?.finish('second');
    await turn();
    expect(first.task.state).toBe('uploading');
    first.runs[1]?.finish('first');
    expect(await first.task).toBe('first');
  });

  it('rejects when it is cancelled, and has what arrived removed, once', async () => {
    const { task, discards } = begin();
    await turn();
    await Promise.all([task.cancel(), task.cancel()]);
    await expect(task.done).rejects.toMatchObject({ code: 'cancelled' });
    expect([task.state, discards()]).toEqual(['cancelled', 1]);
    task.resume();
    expect(task.state).toBe('cancelled');
  });

  it('is cancelled while it waits, and by a signal', async () => {
    const slots = new Slots(1);
    begin(slots);
    const controller = new AbortController();
    const { task, runs } = begin(slots, controller.signal);
    await turn();
    controller.abort();
    await expect(task.done).rejects.toMatchObject({ code: 'cancelled' });
    expect(runs).toHaveLength(0);
    expect(begin(slots, controller.signal).task.state).toBe('cancelled');
  });

  it('keeps its error, and tells who watches', async () => {
    const { task, runs } = begin();
    const states: string[] = [];
    const end = task.subscribe(() => states.push(task.state));
    await turn();
    runs[0]?.fail(new CarcosaError('file_too_large', 'too large'));
    await expect(task.done).rejects.toMatchObject({ code: 'file_too_large' });
    expect(task.error?.code).toBe('file_too_large');
    expect(states).toEqual(['uploading', 'failed']);
    end();
  });
});
