/** "Binary data bytes" of the WHATWG MIME Sniffing Standard, section 3: text never has them. */
const BINARY = new Uint8Array(256);
for (let byte = 0; byte < 0x20; byte++) BINARY[byte] = [0x09, 0x0a, 0x0c, 0x0d, 0x1b].includes(byte) ? 0 : 1;

/**
 * The bytes as text when they are UTF-8, or UTF-16 with its mark, and have no control characters; null otherwise. A last
 * character that is cut off is dropped: the caller has only the beginning.
 */
export function decodeText(head: Uint8Array): string | null {
  const encoding = byteOrderMark(head);
  if (encoding === null && hasBinaryByte(head)) return null;
  try {
    const text = new TextDecoder(encoding ?? 'utf-8', { fatal: true }).decode(head, { stream: true });
    return encoding !== null && hasBinaryCharacter(text) ? null : text;
  } catch {
    return null;
  }
}

/** The bytes as Latin-1, for text in an 8-bit encoding of before Unicode; null when they have control characters. */
export function decodeLegacyText(head: Uint8Array): string | null {
  return hasBinaryByte(head) ? null : new TextDecoder('latin1').decode(head);
}

function byteOrderMark(head: Uint8Array): 'utf-16le' | 'utf-16be' | null {
  if (head[0] === 0xff && head[1] === 0xfe) return 'utf-16le';
  if (head[0] === 0xfe && head[1] === 0xff) return 'utf-16be';
  return null;
}

function hasBinaryByte(head: Uint8Array): boolean {
  for (let i = 0; i < head.length; i++) if (BINARY[head[i] as number] === 1) return true;
  return false;
}

function hasBinaryCharacter(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 && BINARY[code] === 1) return true;
  }
  return false;
}
