import { describe, expect, it } from 'vitest';
import type { DiagnosisCapability, ObjectStore } from '../port.ts';
import { type OpenBucket, useBucket } from './harness.ts';

/** A bucket that we may use says so, by having been used. */
export function describeDiagnosis(open: OpenBucket): void {
  describe('diagnosis', () => {
    const bucket = useBucket(open);

    it('finds every right that is needed, and leaves nothing behind', async () => {
      const { store } = bucket();
      const { problem, rights } = await diagnosisOf(store).examine({ origins: [] });
      expect(problem).toBeNull();
      expect(rights.map(({ right }) => right)).toEqual([
        'put',
        'get',
        'list',
        'delete',
        'multipart',
        'presigned',
        'cors',
      ]);
      const needed = rights.filter(({ right }) => right !== 'cors');
      expect(needed.filter(({ status }) => status !== 'granted' && status !== 'not-needed')).toEqual([]);
      expect(rights.flatMap(({ actions }) => actions)).toEqual([]);
      const left: string[] = [];
      for await (const { key } of store.list('')) left.push(key);
      expect([...left, ...(await bucket().leftovers())]).toEqual([]);
    });
  });
}

function diagnosisOf({ diagnosis }: ObjectStore): DiagnosisCapability {
  if (!diagnosis) throw new Error('every adapter says what its bucket lets us do');
  return diagnosis;
}
