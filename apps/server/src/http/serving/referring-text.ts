import { contentTypeHeader, egressLimits, type OpenedFile, refersToNeighbours } from '@carcosa/domain';
import type { FastifyReply } from 'fastify';
import type { Carcosa } from '../../compose.ts';

/** Bytes of a text that is looked through: a film of hours has a playlist of some hundred kilobytes. */
const MAX_BYTES = 4 * 1024 * 1024;

/** Whether a file is a playlist, or its like, that was reached by a signed address: what it refers to has to be signed as well. */
export function needsSignedReferences({ file, expiresIn }: OpenedFile): boolean {
  return expiresIn !== null && refersToNeighbours(file.contentType) && file.size <= MAX_BYTES;
}

/** Serves such a text with the addresses in it signed for as long as its own is good. */
export async function serveSignedReferences(
  { serving, stores, downloads, egress }: Pick<Carcosa, 'serving' | 'stores' | 'downloads' | 'egress'>,
  opened: OpenedFile,
  reply: FastifyReply,
): Promise<void> {
  const { file } = opened;
  const limits = egressLimits(file);
  egress.admit(limits);
  const store = await stores.storeFor(file.bucketId);
  const chunks: Uint8Array[] = [];
  for await (const chunk of await store.read(file.storageKey)) chunks.push(chunk as Uint8Array);
  const text = await serving.signReferences(opened, Buffer.concat(chunks).toString('utf8'));
  const length = Buffer.byteLength(text);
  egress.count(limits, length);
  downloads.count('whole', length);
  // Another address, or another moment, makes another text of it.
  reply.header('Cache-Control', 'private, no-store');
  reply.header('X-Content-Type-Options', 'nosniff');
  reply.header('Cross-Origin-Resource-Policy', 'cross-origin');
  reply.type(contentTypeHeader(file.contentType, file.declaredContentType));
  await reply.send(text);
}
