import type { ProjectId } from '@carcosa/kernel';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Notifications } from '../notifications.ts';
import { type Operation, OperationProgress, type OperationState } from './operation-progress.ts';

/** What all nodes hear, in order, as the database would hand it on. */
class Bus implements Notifications {
  readonly published: Record<string, unknown>[] = [];
  readonly #handlers = new Set<(payload: Record<string, unknown>) => void>();

  async publish(_channel: string, payload: Record<string, unknown>): Promise<void> {
    this.published.push(payload);
    for (const handler of [...this.#handlers]) handler(JSON.parse(JSON.stringify(payload)));
  }

  subscribe(_channel: string, handler: (payload: Record<string, unknown>) => void): () => void {
    this.#handlers.add(handler);
    return () => this.#handlers.delete(handler);
  }
}

const at = (progress: number, id = 'job_1'): OperationState => ({ id, status: 'processing', progress });
const done: OperationState = { id: 'job_1', status: 'completed', progress: 100 };

function nodes() {
  const bus = new Bus();
  const [worker, other] = ['node_a', 'node_b'].map(
    (instance) => new OperationProgress({ notifications: bus, instance }),
  );
  return { bus, worker: worker as OperationProgress, other: other as OperationProgress };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('tells nothing to other nodes about what nobody follows', () => {
  const { bus, worker } = nodes();
  for (let percent = 0; percent < 100; percent += 1) worker.report(at(percent));
  worker.report(done);
  expect(bus.published).toEqual([]);
});

it('tells who joins late where the operation stands, then four times a second, and at once of the end', () => {
  const { worker, other } = nodes();
  const heard: number[] = [];
  worker.report(at(7));
  other.follow('job_1', ({ progress }) => heard.push(progress));
  expect(heard).toEqual([7]);
  for (let percent = 8; percent <= 50; percent += 1) worker.report(at(percent));
  vi.advanceTimersByTime(250);
  for (let percent = 51; percent <= 90; percent += 1) worker.report(at(percent));
  expect(heard).toEqual([7, 50]);
  worker.report(done);
  vi.advanceTimersByTime(1000);
  expect(heard).toEqual([7, 50, 100]);
});

it('keeps telling for as long as somebody follows, and no longer', () => {
  const { bus, worker, other } = nodes();
  const heard: number[] = [];
  worker.report(at(1));
  const end = other.follow('job_1', ({ progress }) => heard.push(progress));
  vi.advanceTimersByTime(60_000);
  worker.report(at(2));
  expect(heard.at(-1)).toBe(2);
  end();
  vi.advanceTimersByTime(60_000);
  const before = bus.published.length;
  worker.report(at(3));
  expect([heard.at(-1), bus.published.length]).toEqual([2, before]);
});

it('finds an operation by its source, and adds what is newer here', async () => {
  const { worker, other } = nodes();
  const stored: Operation = { ...at(10), projectId: 'prj_1' as ProjectId, tenantId: null, path: 'a.mp4' };
  for (const node of [worker, other]) node.addSource({ find: async (id) => (id === 'job_1' ? stored : null) });
  worker.report(at(40));
  expect(await worker.find('job_1')).toEqual({ ...stored, progress: 40 });
  expect(await other.find('job_1')).toEqual(stored);
  expect(await other.find('job_2')).toBeNull();
});

it('passes over messages that are none', async () => {
  const { bus, other } = nodes();
  const heard: OperationState[] = [];
  other.follow('job_1', (state) => heard.push(state));
  for (const state of [null, 7, { id: 'job_1' }, { id: 'job_1', status: 'odd', progress: 1 }])
    await bus.publish('', { from: 'x', state, wanted: [null, 1] });
  expect(heard).toEqual([]);
});
