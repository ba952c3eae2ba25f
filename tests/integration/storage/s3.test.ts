import { S3ObjectStore } from '@carcosa/storage/adapters/s3';
import { describeObjectStore } from '@carcosa/storage/testsuite';
import { describe, it } from 'vitest';
import { leftoversOf, radosgw } from '../../support/radosgw.ts';

const gateway = await radosgw();
const KIB = 1024;

if (!gateway) describe.skip('S3 bucket (Ceph radosgw is not installed)', () => it('passes the suite', () => {}));
else {
  describeObjectStore('S3 bucket', async () => {
    // Small parts cross many of their boundaries in little time; real sizes follow below.
    const config = { ...(await gateway.bucket()), partSize: 128 * KIB };
    const open = () => S3ObjectStore.open(config);
    const store = await open();
    return {
      store,
      openAgain: open,
      leftovers: () => leftoversOf(config),
      boundary: 128 * KIB,
      runs: 15,
      close: () => store.close(),
    };
  });
}
