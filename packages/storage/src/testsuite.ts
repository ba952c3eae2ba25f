import { describe } from 'vitest';
import { describeDiagnosis } from './testsuite/diagnosis.ts';
import { describeDirectParts } from './testsuite/direct-parts.ts';
import type { OpenBucket } from './testsuite/harness.ts';
import { describeObjects } from './testsuite/objects.ts';
import { describePresigned } from './testsuite/presigned.ts';
import { describeStaging } from './testsuite/staging.ts';
import { describeStagingModel } from './testsuite/staging-model.ts';

export type { BucketHarness, OpenBucket } from './testsuite/harness.ts';

/**
 * What every adapter must do, for vitest: call it in a test file of the adapter, with the real provider behind `open`. An adapter
 * that passes may be offered.
 */
export function describeObjectStore(name: string, open: OpenBucket): void {
  describe(name, () => {
    describeObjects(open);
    describeStaging(open);
    describeStagingModel(open);
    describePresigned(open);
    describeDirectParts(open);
    describeDiagnosis(open);
  });
}
