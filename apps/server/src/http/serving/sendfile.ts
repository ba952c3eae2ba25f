import path from 'node:path';
import type { Presentation } from '@carcosa/domain';

/** A proxy in front of us that can send files of this machine itself. */
export interface Sendfile {
  readonly mode: 'off' | 'x-accel-redirect' | 'x-sendfile';
  /** The internal location of the proxy that shows `root`, with "/" at its end. For `x-accel-redirect`. */
  readonly prefix: string;
  /** Absolute path of the directory that the proxy may read. */
  readonly root: string;
}

/**
 * The headers that make the proxy send the file at `file` (an absolute path), names and values in turn; null where it is not to:
 * nginx passes on only a few of our headers, so what needs a policy to be harmless is sent by us.
 */
export function sendfileHeaders(
  { mode, prefix, root }: Sendfile,
  file: string,
  presentation: Presentation,
): string[] | null {
  if (mode === 'off' || presentation.contentSecurityPolicy !== null) return null;
  // Both decode percent signs in what they are given.
  if (mode === 'x-sendfile') return ['X-Sendfile', encodePath(file)];
  const relative = path.relative(root, file);
  if (relative.startsWith('..') || path.isAbsolute(relative)) return null;
  return ['X-Accel-Redirect', prefix.replace(/\/*$/, '/') + encodePath(relative)];
}

function encodePath(file: string): string {
  return file.split(path.sep).map(encodeURIComponent).join('/');
}
