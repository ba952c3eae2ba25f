/**
 * The first text behind all that begin with `prefix`, in the order of bytes: paths are ordered so, and a range of them is an index
 * scan where `like` with a placeholder is not. `prefix` ends in an ASCII character below DEL.
 */
export function prefixEnd(prefix: string): string {
  const last = prefix.charCodeAt(prefix.length - 1);
  return prefix.slice(0, -1) + String.fromCharCode(last + 1);
}
