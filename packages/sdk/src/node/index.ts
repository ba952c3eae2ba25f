import { type Carcosa, type CarcosaOptions, createClient } from '../client.ts';
import { sourceOf, type UploadInput, type UploadSource } from '../upload/source.ts';
import { isPathFile, type PathFile, pathSource, readableSource } from './source.ts';
import { nodeTransport } from './transport.ts';

export * from '../index.ts';
export type { PathFile } from './source.ts';

/** What Node can upload beside the rest: `{ path: 'videos/talk.mp4' }`, and streams of bytes such as `process.stdin`. */
export type NodeUploadInput = UploadInput | PathFile | AsyncIterable<Uint8Array>;

/**
 * A client that reads files from disk as they are sent, tells progress, and keeps connections open.
 * @throws CarcosaError `invalid_argument` for a url that is none
 */
export function createCarcosa(options: CarcosaOptions): Carcosa<NodeUploadInput> {
  return createClient<NodeUploadInput>(options, {
    openSource,
    // What runs Node is near its server more often than not, and parts side by side cost both of them more.
    prefersTus: true,
    // Whoever brings a fetch wants it to be used.
    ...(options.fetch ? {} : { transport: nodeTransport() }),
  });
}

async function openSource(input: NodeUploadInput): Promise<UploadSource> {
  if (isPathFile(input)) return pathSource(input);
  const isForeign = typeof input !== 'object' || input instanceof ReadableStream || input instanceof Blob;
  if (!isForeign && Symbol.asyncIterator in input) return readableSource(input);
  return sourceOf(input as UploadInput);
}
