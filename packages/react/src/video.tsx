import type { File as StoredFile } from '@carcosa/sdk';
import type { ComponentProps } from 'react';

export interface VideoProps extends Omit<ComponentProps<'video'>, 'src'> {
  /** A stored file, or any address of one: of a private file, a signed one. */
  src: Pick<StoredFile, 'url' | 'contentType'> | string;
  /** Text tracks: the first is shown by default. */
  captions?: readonly { src: string; language: string; label: string }[];
}

/** A stored video with the browser's controls. Only what is watched is loaded: the server answers ranges. */
export function Video({ src, captions = [], children, ...own }: VideoProps) {
  const [url, type] = typeof src === 'string' ? [src, undefined] : [src.url, src.contentType];
  return (
    <video controls preload="metadata" playsInline {...own}>
      <source src={url} type={type} />
      {captions.map(({ src: track, language, label }, index) => (
        <track key={track} kind="captions" src={track} srcLang={language} label={label} default={index === 0} />
      ))}
      {children}
    </video>
  );
}
