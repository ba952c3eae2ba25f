import type { FileFacts } from '@carcosa/contracts';
import type { MediaProbe } from '../video/probe.ts';
import { orientationOf } from './orientation.ts';

/** What ffprobe found, as facts. */
export function mediaFacts(probe: MediaProbe): FileFacts {
  const { video, audio, tags, duration, bitRate, format } = probe;
  return {
    kind: video ? 'video' : 'audio',
    ...(video
      ? { width: video.width, height: video.height, orientation: orientationOf(video.width, video.height) }
      : {}),
    ...(duration === null ? {} : { duration: Math.round(duration * 1000) / 1000 }),
    ...(bitRate === null ? {} : { bitRate: Math.round(bitRate) }),
    container: format,
    ...(video
      ? {
          video: {
            codec: video.codec,
            ...given('profile', video.profile),
            ...given('frameRate', video.frameRate),
            ...given('bitRate', video.bitRate),
            ...given('pixelFormat', video.pixelFormat),
            ...(video.rotation === 0 ? {} : { rotation: video.rotation }),
          },
        }
      : {}),
    ...(audio
      ? {
          audio: {
            codec: audio.codec,
            channels: audio.channels,
            sampleRate: audio.sampleRate,
            ...given('bitRate', audio.bitRate),
          },
        }
      : {}),
    ...(Object.keys(tags).length > 0 ? { tags: { ...tags } } : {}),
  };
}

const given = <Name extends string, Value>(name: Name, value: Value | null) =>
  (value === null ? {} : { [name]: value }) as Partial<Record<Name, Value>>;
