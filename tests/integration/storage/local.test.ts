import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DiskWorkers, LocalObjectStore } from '@carcosa/storage/adapters/local';
import { describeObjectStore } from '@carcosa/storage/testsuite';

const MIB = 1024 * 1024;

describeObjectStore('local bucket', async () => {
  const root = await mkdtemp(path.join(tmpdir(), 'carcosa-bucket-'));
  const workers = new DiskWorkers(1);
  // Stores of other processes have workers of their own, and know nothing of each other.
  const others: DiskWorkers[] = [];
  const store = await LocalObjectStore.open({ root, workers });
  return {
    store,
    openAgain: async () => {
      const own = new DiskWorkers(1);
      others.push(own);
      return LocalObjectStore.open({ root, workers: own });
    },
    leftovers: () => readdir(path.join(root, 'staging')),
    boundary: MIB,
    runs: 30,
    close: async () => {
      await store.close();
      for (const each of [workers, ...others]) await each.close();
      await rm(root, { recursive: true, force: true });
    },
  };
});
