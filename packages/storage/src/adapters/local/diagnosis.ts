import { Buffer } from 'node:buffer';
import { buffer } from 'node:stream/consumers';
import { type Random, randomToken } from '@carcosa/kernel';
import type { BucketRight, DiagnosisCapability, Examination, ObjectStore, RightFinding } from '../../port.ts';

const CONTENT = Buffer.from('Carcosa examines what it may do in this bucket; this can be removed.\n');
const FOLDER = 'carcosa-probe/';

/** Finds out whether the directory of a bucket can be used, through the store itself. */
export class LocalDiagnosis implements DiagnosisCapability {
  readonly #store: ObjectStore;
  readonly #random: Random;

  constructor(store: ObjectStore, random: Random) {
    this.#store = store;
    this.#random = random;
  }

  async examine(): Promise<Examination> {
    const store = this.#store;
    const name = randomToken(this.#random, 20);
    const key = `${FOLDER}${name}`;
    const put = await attempt('put', () => this.#put(`probe${name}`, key));
    const get = await attempt('get', async () => {
      if (!(await buffer(await store.read(key))).equals(CONTENT))
        throw new Error('other bytes came back than were put');
    });
    const list = await attempt('list', async () => {
      for await (const found of store.list(FOLDER)) if (found.key === key) return;
      throw new Error('what was put is not listed');
    });
    const remove = await attempt('delete', async () => {
      await store.delete(key);
      if (await store.stat(key)) throw new Error('what was removed is still there');
    });
    const rest = (['multipart', 'presigned', 'cors'] as const).map(notNeeded);
    return { problem: null, rights: [put, get, list, remove, ...rest] };
  }

  async #put(uploadId: string, key: string): Promise<void> {
    const staged = await this.#store.stage({ uploadId, key, size: CONTENT.length, contentType: 'text/plain' });
    try {
      await staged.append(CONTENT);
      await staged.sync();
      await staged.commit(key);
    } finally {
      await staged.close();
      await this.#store.discard({ uploadId, key, ref: null });
    }
  }
}

async function attempt(right: BucketRight, work: () => Promise<void>): Promise<RightFinding> {
  try {
    await work();
    return { right, status: 'granted', message: 'It works.', actions: [] };
  } catch (error) {
    const message = `It does not work: ${(error as Error).message} Look at the disk, owner and mode of the data directory.`;
    return { right, status: 'missing', message, actions: [] };
  }
}

function notNeeded(right: BucketRight): RightFinding {
  return { right, status: 'not-needed', message: 'All bytes go through this server.', actions: [] };
}
