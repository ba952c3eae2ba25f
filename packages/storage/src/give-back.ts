/**
 * Frees the memory of a chunk that nobody will look at again, unless it is a piece of something larger. Left to the collector, the
 * chunks of a fast upload cost more CPU in its threads than writing them does, and stand in memory by the hundred megabytes.
 */
export function giveBack(chunk: Uint8Array): void {
  const { buffer } = chunk;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === chunk.byteLength) buffer.transfer(0);
}
