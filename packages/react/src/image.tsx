import { type TransformAddress, type TransformOptions, transformUrl } from '@carcosa/sdk';
import { type ComponentProps, useState } from 'react';
import { useMaybeCarcosa } from './provider.tsx';

type Steps = Pick<TransformOptions, 'fit' | 'gravity' | 'format' | 'quality' | 'background'>;

export interface ImageProps
  extends Omit<ComponentProps<'img'>, 'src' | 'srcSet' | 'width' | 'height' | 'placeholder'>,
    Steps {
  /** A stored file, or its path. */
  src: TransformAddress;
  /** Required: what it shows, or "" for decoration. */
  alt: string;
  /** CSS pixels. Without `sizes` the picture is made for screens of one and two pixels to one of CSS. */
  width?: number;
  height?: number;
  /** How wide it is shown, as of `<img>`; then there is a choice of widths. */
  sizes?: string;
  /** The widths to choose from, in pixels. */
  widths?: readonly number[];
  /** `blur`: shows a few pixels of it until it is there. */
  placeholder?: 'blur' | 'none';
  /** Above the fold: loads at once. */
  priority?: boolean;
  /** Of the server and project, where no provider has a client that knows both. */
  url?: string;
  projectId?: string;
}

const WIDTHS = [320, 640, 960, 1280, 1920, 2560];
/** A result has at most so many pixels a side. */
const MOST = 8192;

/** A stored picture in the sizes and the format that suit whoever looks. */
export function Image(props: ImageProps) {
  const {
    src,
    alt,
    width,
    height,
    sizes,
    widths,
    placeholder = 'none',
    priority = false,
    url,
    projectId,
    ...rest
  } = props;
  const { fit, gravity, format = 'auto', quality, background, style, onLoad, ...own } = rest;
  const client = useMaybeCarcosa();
  const [isLoaded, setLoaded] = useState(false);
  const steps: TransformOptions = defined({ fit, gravity, format, quality, background });
  const address = (transform: TransformOptions): string => {
    if (url && projectId) return transformUrl({ url, projectId, file: src, transform });
    if (client) return client.transformUrl(src, transform);
    throw new Error('Give <Image> a url and projectId, or a provider with a client.');
  };
  const box = (wide: number): TransformOptions => {
    const tall = width && height ? { height: Math.max(1, Math.round((wide * height) / width)) } : {};
    return { ...steps, width: Math.min(MOST, wide), ...tall };
  };
  const chosen = widths ?? WIDTHS;
  const candidates = sizes
    ? chosen.map((wide) => `${address(box(wide))} ${wide}w`)
    : width
      ? [1, 2].map((dpr) => `${address(box(width * dpr))} ${dpr}x`)
      : [];
  const plain = width
    ? box(width)
    : sizes
      ? box(chosen[chosen.length >> 1] ?? 960)
      : { ...steps, ...defined({ height }) };
  const blur = placeholder === 'blur' && !isLoaded;
  const preview = { ...box(24), format: 'webp', quality: 40 } as const;
  return (
    <img
      {...own}
      src={address(plain)}
      srcSet={candidates.join(', ') || undefined}
      sizes={sizes}
      alt={alt}
      width={width}
      height={height}
      loading={priority ? 'eager' : 'lazy'}
      fetchPriority={priority ? 'high' : undefined}
      decoding="async"
      data-state={isLoaded ? 'loaded' : 'loading'}
      style={blur ? { ...PREVIEW, backgroundImage: `url("${address(preview)}")`, ...style } : style}
      onLoad={(event) => {
        setLoaded(true);
        onLoad?.(event);
      }}
    />
  );
}

const PREVIEW = { backgroundSize: 'cover', backgroundPosition: 'center' } as const;

function defined<Values extends object>(values: Values): { [Key in keyof Values]: Exclude<Values[Key], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}
