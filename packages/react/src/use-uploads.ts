import type { CarcosaError, UploadTask } from '@carcosa/sdk';
import { useCallback, useEffect, useRef, useSyncExternalStore } from 'react';
import { UploadStore } from './upload-store.ts';

/** One file in a list of uploads. It is another object whenever anything of it has changed. */
export interface UploadItem<Result> {
  readonly id: string;
  readonly file: File;
  readonly task: UploadTask<Result>;
}

export interface UseUploadsOptions<Result> {
  /** Begins uploads of these files: one task each, in their order. */
  begin: (files: File[]) => UploadTask<Result>[];
  /** After each file that is stored. */
  onUploaded?: ((result: Result, file: File) => void) | undefined;
  /** After each that could not be. */
  onError?: ((error: CarcosaError, file: File) => void) | undefined;
  /** When all that was added has ended; with the results of those that are stored. */
  onComplete?: ((results: Result[]) => void) | undefined;
}

export interface UseUploads<Result> {
  readonly uploads: readonly UploadItem<Result>[];
  /** `idle` before anything was added; `uploading` while anything is on its way or waits; then how it ended. */
  readonly state: 'idle' | 'uploading' | 'paused' | 'completed' | 'failed';
  /** From 0 to 1, over all that was added and not cancelled. */
  readonly fraction: number;
  add(files: Iterable<File>): void;
  /** Begins one anew that has failed; it continues where it stood. */
  retry(id: string): void;
  /** Takes one from the list; on its way it is cancelled. */
  remove(id: string): void;
  /** Takes all from the list that have ended. */
  clear(): void;
}

/** A list of uploads that a component shows. They go on while it lives; unmounting cancels none, so that a page may change meanwhile. */
export function useUploads<Result>(options: UseUploadsOptions<Result>): UseUploads<Result> {
  const latest = useRef(options);
  useEffect(() => {
    latest.current = options;
  });
  const ref = useRef<UploadStore<Result> | undefined>(undefined);
  ref.current ??= new UploadStore<Result>(() => latest.current);
  const store = ref.current;
  const subscribe = useCallback((listener: () => void) => store.subscribe(listener), [store]);
  const read = useCallback(() => store.snapshot, [store]);
  return useSyncExternalStore(subscribe, read, read);
}
