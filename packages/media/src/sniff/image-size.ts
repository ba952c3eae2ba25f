/** Bytes of a file's beginning in which {@link imageSize} looks. */
export const IMAGE_SIZE_BYTES = 512 * 1024;

export interface ImageSize {
  /** Pixels, as they are stored: a rotation that EXIF asks for is not applied. */
  width: number;
  height: number;
}

/**
 * The measures of a picture, from its header alone: PNG, GIF, BMP, WebP, JPEG, AVIF and HEIC. Nothing is decoded, so that it costs
 * microseconds whatever the picture claims.
 * @param head the first bytes, {@link IMAGE_SIZE_BYTES} or the whole file
 * @returns null for other formats, and where the header lies further behind or is damaged; never throws
 */
export function imageSize(head: Uint8Array): ImageSize | null {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  try {
    const size = readSize(view);
    return size && size.width > 0 && size.height > 0 ? size : null;
  } catch (error) {
    // A header that ends too early.
    if (error instanceof RangeError) return null;
    throw error;
  }
}

function readSize(view: DataView): ImageSize | null {
  if (view.getUint32(0) === 0x89504e47) return { width: view.getUint32(16), height: view.getUint32(20) };
  if (text(view, 0, 3) === 'GIF') return { width: view.getUint16(6, true), height: view.getUint16(8, true) };
  if (text(view, 0, 2) === 'BM') return { width: view.getInt32(18, true), height: Math.abs(view.getInt32(22, true)) };
  if (text(view, 0, 4) === 'RIFF' && text(view, 8, 4) === 'WEBP') return webpSize(view);
  if (view.getUint16(0) === 0xffd8) return jpegSize(view);
  if (text(view, 4, 4) === 'ftyp') return heifSize(view);
  return null;
}

/** RFC 9649: lossy, lossless, or extended, whose canvas counts. */
function webpSize(view: DataView): ImageSize | null {
  const form = text(view, 12, 4);
  if (form === 'VP8 ') return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
  if (form === 'VP8L') {
    const bits = view.getUint32(21, true);
    return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
  }
  if (form !== 'VP8X') return null;
  const uint24 = (at: number): number => view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
  return { width: uint24(24) + 1, height: uint24(27) + 1 };
}

/** Segments up to the one that begins a frame (SOF0 to SOF15 without DHT, JPG and DAC; ITU-T T.81, B.1.1.3). */
function jpegSize(view: DataView): ImageSize | null {
  for (let at = 2; ; ) {
    if (view.getUint8(at) !== 0xff) return null;
    const marker = view.getUint8(at + 1);
    if (marker === 0xff) {
      at += 1;
      continue;
    }
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) return { width: view.getUint16(at + 7), height: view.getUint16(at + 5) };
    // The picture itself begins without a frame: damaged.
    if (marker === 0xda || marker === 0xd9) return null;
    at += 2 + view.getUint16(at + 2);
  }
}

/** The largest of the item properties `ispe` (ISO/IEC 23008-12, 6.5.3): tiles and thumbnails have smaller ones. */
function heifSize(view: DataView): ImageSize | null {
  let largest: ImageSize | null = null;
  const end = Math.min(view.byteLength - 16, 64 * 1024);
  for (let at = 8; at < end; at++) {
    if (view.getUint32(at) !== 0x69737065) continue;
    const found = { width: view.getUint32(at + 8), height: view.getUint32(at + 12) };
    if (!largest || found.width * found.height > largest.width * largest.height) largest = found;
  }
  return largest;
}

function text(view: DataView, at: number, length: number): string {
  let found = '';
  for (let i = 0; i < length; i++) found += String.fromCharCode(view.getUint8(at + i));
  return found;
}
