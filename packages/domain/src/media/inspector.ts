import type { Findings, Inspection } from '@carcosa/contracts';

/** A file that an inspector is shown. */
export interface InspectedFile {
  readonly id: string;
  readonly projectId: string;
  readonly path: string;
  readonly version: number;
  /** Bytes. */
  readonly size: number;
  readonly contentType: string;
  /** Where its content can be had, for a quarter of an hour. */
  readonly url: string;
}

/**
 * A step of one's own on what has come: it looks at a file and says tags, metadata, or that it must not be served. To add one, implement this
 * and give it a name in `composeMedia`; rules of projects then say `"inspect": { "use": "<name>" }`. `HttpInspector` is an example.
 */
export interface Inspector {
  /**
   * @param inspection what the rule says beside the name
   * @throws Error where it cannot say now: it is asked again later, up to nine times
   */
  inspect(file: InspectedFile, inspection: Inspection, options: { signal: AbortSignal }): Promise<Findings>;
}
