import { crc32 } from 'node:zlib';

/** A small file as the journal holds it. */
export interface JournalRecord {
  /** The storage key. */
  key: string;
  content: Uint8Array;
}

// What stands before key and content, little endian: magic, generation, length of the key, length of the content, checksum.
const MAGIC = 0x314a4343;
const AT = { magic: 0, generation: 4, keyLength: 12, contentLength: 16, checksum: 20 } as const;
const HEADER = 24;
/** What stands at the beginning of a segment that holds nothing. */
export const EMPTY = new Uint8Array(HEADER);

/** Bytes that a record takes. */
export function recordSize({ key, content }: JournalRecord): number {
  return HEADER + Buffer.byteLength(key) + content.length;
}

/** A record as buffers to be written one behind the other; the content is not copied. */
export function encodeRecord(generation: bigint, { key, content }: JournalRecord): Uint8Array[] {
  const name = Buffer.from(key);
  const header = Buffer.alloc(HEADER);
  header.writeUInt32LE(MAGIC, AT.magic);
  header.writeBigUInt64LE(generation, AT.generation);
  header.writeUInt32LE(name.length, AT.keyLength);
  header.writeUInt32LE(content.length, AT.contentLength);
  header.writeUInt32LE(checksum(header, name, content), AT.checksum);
  return [header, name, content];
}

/**
 * The records of a segment in their order, up to where it ends: at what was never written, was torn by a power cut, or belongs to an earlier use
 * of the segment.
 */
export function* decodeRecords(segment: Buffer): Generator<JournalRecord> {
  let generation: bigint | null = null;
  for (let at = 0; at + HEADER <= segment.length; ) {
    const header = segment.subarray(at, at + HEADER);
    if (header.readUInt32LE(AT.magic) !== MAGIC) return;
    const ours = header.readBigUInt64LE(AT.generation);
    generation ??= ours;
    if (ours !== generation) return;
    const keyEnd = at + HEADER + header.readUInt32LE(AT.keyLength);
    const end = keyEnd + header.readUInt32LE(AT.contentLength);
    if (end > segment.length) return;
    const name = segment.subarray(at + HEADER, keyEnd);
    const content = segment.subarray(keyEnd, end);
    if (checksum(header, name, content) !== header.readUInt32LE(AT.checksum)) return;
    yield { key: name.toString(), content };
    at = end;
  }
}

function checksum(header: Uint8Array, name: Uint8Array, content: Uint8Array): number {
  return crc32(content, crc32(name, crc32(header.subarray(0, AT.checksum))));
}
