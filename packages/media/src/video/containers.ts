/** A kind of file that FFmpeg is let at, by what its bytes say. */
export interface Container {
  /** The one demuxer that may read it: none that refers to other files, such as those of playlists. */
  readonly demuxer: string;
  readonly kind: 'video' | 'audio' | 'animation';
}

const video = (demuxer: string): Container => ({ demuxer, kind: 'video' });
const audio = (demuxer: string): Container => ({ demuxer, kind: 'audio' });

const CONTAINERS: Readonly<Record<string, Container>> = {
  'video/mp4': video('mov'),
  'video/x-m4v': video('mov'),
  'video/quicktime': video('mov'),
  'video/3gpp': video('mov'),
  'video/3gpp2': video('mov'),
  'video/webm': video('matroska'),
  'video/x-matroska': video('matroska'),
  'video/x-msvideo': video('avi'),
  'video/ogg': video('ogg'),
  'video/mpeg': video('mpeg'),
  'video/mp2t': video('mpegts'),
  'video/x-flv': video('flv'),
  'audio/mpeg': audio('mp3'),
  'audio/mp4': audio('mov'),
  'audio/x-m4a': audio('mov'),
  'audio/aac': audio('aac'),
  'audio/ogg': audio('ogg'),
  'audio/opus': audio('ogg'),
  'audio/ogg; codecs=opus': audio('ogg'),
  'audio/flac': audio('flac'),
  'audio/x-flac': audio('flac'),
  'audio/wav': audio('wav'),
  'audio/vnd.wave': audio('wav'),
  'audio/webm': audio('matroska'),
  'audio/x-matroska': audio('matroska'),
  'audio/aiff': audio('aiff'),
  'audio/x-aiff': audio('aiff'),
  'application/ogg': audio('ogg'),
  'image/gif': { demuxer: 'gif', kind: 'animation' },
};

/** How files of a type are read; null for those that FFmpeg is not let at. */
export function containerOf(contentType: string): Container | null {
  return Object.hasOwn(CONTAINERS, contentType) ? (CONTAINERS[contentType] ?? null) : null;
}
