import type { CarcosaError, File as StoredFile, UploadOptions, UploadTask } from '@carcosa/sdk';
import { useMemo } from 'react';
import { pathOf } from './files-of.ts';
import type { Labels } from './labels.ts';
import { useMaybeCarcosa } from './provider.tsx';
import { type UseUploads, useUploads } from './use-uploads.ts';

/** What the button and the dropzone share. */
export interface UploadPartProps<Result = StoredFile> {
  /** Begins the uploads; default: to Carcosa itself, by the client of the provider. */
  begin?: (files: File[]) => UploadTask<Result>[];
  /** Without `begin`: what each file becomes. `path` is its place in a folder that was dropped or chosen, or else its name. */
  options?: (file: File, path: string) => UploadOptions;
  /** A list of `useUploads` to add to, to show it elsewhere. */
  uploads?: UseUploads<Result>;
  /** What can be chosen, as of an `<input type="file">`: "image/*,.pdf". The server decides in the end. */
  accept?: string;
  /** More than one at once; default true for the dropzone, false for the button. */
  multiple?: boolean;
  /** The chooser takes folders; dropped ones are always taken. */
  folders?: boolean;
  disabled?: boolean;
  className?: string;
  labels?: Partial<Labels>;
  onUploaded?: (result: Result, file: File) => void;
  onError?: (error: CarcosaError, file: File) => void;
  onComplete?: (results: Result[]) => void;
}

/** The list that a part adds to: the one that it was given, or one of its own. */
export function usePartUploads<Result>(props: UploadPartProps<Result>): UseUploads<Result> {
  const client = useMaybeCarcosa();
  const { begin, options, uploads, onUploaded, onError, onComplete } = props;
  const toCarcosa = useMemo(
    () => (files: File[]) => {
      if (!client) throw new Error('Give `begin`, or wrap this in <CarcosaProvider client={…}>.');
      return files.map((file) => client.upload(file, options?.(file, pathOf(file)))) as unknown as UploadTask<Result>[];
    },
    [client, options],
  );
  const own = useUploads<Result>({ begin: begin ?? toCarcosa, onUploaded, onError, onComplete });
  return uploads ?? own;
}

/** Class names of ours and of whoever uses the part. */
export const classes = (own: string, more: string | undefined): string => (more ? `${own} ${more}` : own);
