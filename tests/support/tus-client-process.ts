/**
 * tus-js-client in a process of its own, so that a test can kill it:
 *
 *     node tus-client-process.ts '{"endpoint":…,"apiKey":…,"file":…,"storage":…,"chunkSize":…,"metadata":{…}}'
 *
 * Remembers the upload's address in the file `storage`, and goes on from it if it is there. Prints one JSON line for each chunk that
 * the server has acknowledged, `{"accepted":n}`, and at the end `{"fileId":…,"resumedFrom":n}`.
 */
import { createReadStream, statSync } from 'node:fs';
import * as tusClient from 'tus-js-client';

interface Order {
  endpoint: string;
  apiKey: string;
  file: string;
  storage: string;
  chunkSize: number;
  metadata: Record<string, string>;
}

const order = JSON.parse(process.argv[2] ?? '{}') as Order;
const { Upload } = tusClient;
// Exported by the build for Node.js, though its types do not say so.
const { FileUrlStorage } = tusClient as unknown as { FileUrlStorage: new (file: string) => tusClient.UrlStorage };
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
let resumedFrom: number | null = null;

// A stream with a path is what the client knows how to read piece by piece, and again after an interruption.
const upload = new Upload(createReadStream(order.file) as unknown as Buffer, {
  endpoint: order.endpoint,
  uploadSize: statSync(order.file).size,
  chunkSize: order.chunkSize,
  headers: { 'x-api-key': order.apiKey },
  metadata: order.metadata,
  retryDelays: Array.from({ length: 200 }, () => 50),
  urlStorage: new FileUrlStorage(order.storage),
  fingerprint: async () => `carcosa:${order.file}`,
  storeFingerprintForResuming: true,
  onChunkComplete: (_size, accepted) => {
    resumedFrom ??= accepted - _size;
    say({ accepted });
  },
  onError: (error) => {
    say({ error: error.message });
    process.exitCode = 1;
  },
  onSuccess: ({ lastResponse }) => say({ fileId: lastResponse.getHeader('carcosa-file-id'), resumedFrom }),
});
const [previous] = await upload.findPreviousUploads();
if (previous) upload.resumeFromPreviousUpload(previous);
upload.start();
