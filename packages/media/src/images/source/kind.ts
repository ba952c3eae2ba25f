import { open } from 'node:fs/promises';

/** What reads a file: the library by itself, our decoder of HEIC, or the library after we have cleaned what it reads. */
export type SourceKind = 'library' | 'heic' | 'svg';

const HEAD_BYTES = 512;
const HEIC_BRANDS = new Set(['heic', 'heix', 'heim', 'heis', 'hevc', 'hevx', 'hevm', 'hevs', 'mif1', 'msf1']);

/** By the first bytes alone, whatever the file is called. */
export async function kindOf(path: string): Promise<SourceKind> {
  const handle = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return kindOfHead(buffer.subarray(0, bytesRead));
  } finally {
    await handle.close();
  }
}

export function kindOfHead(head: Buffer): SourceKind {
  if (head.toString('latin1', 4, 8) === 'ftyp') return isHeic(head) ? 'heic' : 'library';
  return /^(\ufeff)?\s*</.test(head.toString('utf8')) ? 'svg' : 'library';
}

/** The box `ftyp` of ISO/IEC 14496-12: a major brand, a version, and brands that it is compatible with. AVIF is the library's. */
function isHeic(head: Buffer): boolean {
  const end = Math.min(head.readUInt32BE(0), head.length);
  const brands: string[] = [];
  for (let at = 8; at + 4 <= end; at += 4) if (at !== 12) brands.push(head.toString('latin1', at, at + 4));
  if (brands.includes('avif') || brands.includes('avis')) return false;
  return brands.some((brand) => HEIC_BRANDS.has(brand));
}
