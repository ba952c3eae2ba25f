import type { File as StoredFile } from '@carcosa/sdk';
import { useCallback } from 'react';
import { useCarcosa } from './provider.tsx';
import { type Loaded, useLoaded } from './use-loaded.ts';

/** What a stored file is at present. */
export function useFile(id: string): Loaded<StoredFile> {
  const client = useCarcosa();
  return useLoaded(useCallback(() => client.files.get(id), [client, id]));
}
