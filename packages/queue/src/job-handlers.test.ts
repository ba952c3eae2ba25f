import { JOBS, type JobName } from '@carcosa/contracts';
import { expect, it } from 'vitest';
import { JobHandlers } from './job-handlers.ts';
import { JOB_SETTINGS } from './job-settings.ts';

const nothing = async (): Promise<void> => {};
const context = { signal: new AbortController().signal };

it('a job without a handler does not boot, and is named', () => {
  expect(() => new JobHandlers().on('purge-trash', nothing).all()).toThrow(/collect-garbage, hash-object/);
});

it('nor does one with two', () => {
  expect(() => new JobHandlers().on('purge-trash', nothing).on('purge-trash', nothing)).toThrow(/purge-trash has two/);
});

it('a handler gets what the contract says, or nothing', async () => {
  const seen: string[] = [];
  const handlers = new JobHandlers().on('hash-object', async ({ objectId }) => void seen.push(objectId));
  for (const name of Object.keys(JOBS) as JobName[]) if (name !== 'hash-object') handlers.on(name, nothing);
  const handle = handlers.all().get('hash-object');
  await handle?.({ objectId: 'obj_1' }, context);
  expect(() => handle?.({ objectId: 1 }, context)).toThrow();
  expect(seen).toEqual(['obj_1']);
});

it('every job has settings', () => {
  expect(Object.keys(JOB_SETTINGS).sort()).toEqual(Object.keys(JOBS).sort());
});
