import type { File as StoredFile, Upload, UploadTask } from '@carcosa/sdk';
import { useCallback } from 'react';
import { useCarcosa } from './provider.tsx';
import { type Loaded, useLoaded } from './use-loaded.ts';

export interface UnfinishedUploads extends Loaded<Upload[]> {
  /** Continues one with the same file. It fails with `invalid_argument` where size or content differ. */
  resume(upload: Upload, file: File): UploadTask<StoredFile>;
  /** Ends one and has what arrived removed. */
  discard(upload: Upload): Promise<void>;
}

/** Uploads that were begun here or on another device and have not ended: the newest 50. */
export function useUnfinishedUploads(): UnfinishedUploads {
  const client = useCarcosa();
  const loaded = useLoaded(useCallback(() => client.listUnfinishedUploads().toArray(50), [client]));
  const { refresh } = loaded;
  return {
    ...loaded,
    resume: (upload, file) => {
      const task = client.upload(file, { resume: upload });
      task.done.finally(refresh).catch(() => {});
      return task;
    },
    discard: async (upload) => {
      await client.uploads.abort(upload.id);
      refresh();
    },
  };
}
