import type { FileFacts, FileLocation } from '@carcosa/contracts';

/** All that was found out about a file. */
export interface FactsFound {
  readonly facts: FileFacts;
  /** Where it was made, which is shown to nobody but those who may read the file itself. */
  readonly location: FileLocation | null;
  /** Of a document. */
  readonly text: string | null;
}

/** A file of this machine, and what its bytes say that it is. */
export interface FactsTask {
  /** Absolute. */
  readonly file: string;
  readonly kind: 'image' | 'document';
}

export type FactsRequest = FactsTask & { readonly id: number };
export type FactsReply =
  | { readonly id: number; readonly found: FactsFound }
  | { readonly id: number; readonly problem: string };
