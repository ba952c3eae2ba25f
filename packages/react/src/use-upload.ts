import type { CarcosaError, UploadProgress, UploadState, UploadTask } from '@carcosa/sdk';
import { useEffect, useReducer, useState } from 'react';

export interface UseUpload<Result> {
  /** Begins an upload; one before it goes on, but is no longer shown. Resolves with what it becomes. */
  upload(file: File): Promise<Result>;
  readonly state: UploadState | 'idle';
  readonly progress: UploadProgress | undefined;
  readonly result: Result | undefined;
  readonly error: CarcosaError | undefined;
  pause(): void;
  resume(): void;
  cancel(): void;
}

/** One upload at a time: `useUpload((file) => carcosa.upload(file))`. */
export function useUpload<Result>(begin: (file: File) => UploadTask<Result>): UseUpload<Result> {
  const [task, setTask] = useState<UploadTask<Result>>();
  const [, changed] = useReducer((count: number) => count + 1, 0);
  useEffect(() => task?.subscribe(changed), [task]);
  const upload = (file: File): Promise<Result> => {
    const started = begin(file);
    setTask(started);
    return started.done;
  };
  return {
    upload,
    state: task?.state ?? 'idle',
    progress: task?.progress,
    result: task?.result,
    error: task?.error,
    pause: () => task?.pause(),
    resume: () => task?.resume(),
    cancel: () => void task?.cancel(),
  };
}
