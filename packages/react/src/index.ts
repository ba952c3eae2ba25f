export { accepts, filesOf, pathOf } from './files-of.ts';
export { generateReactHelpers, type ReactHelpers } from './helpers.tsx';
export { Image, type ImageProps } from './image.tsx';
export { ENGLISH, type Labels } from './labels.ts';
export { Progress } from './progress.tsx';
export { CarcosaProvider, type CarcosaProviderProps, useCarcosa } from './provider.tsx';
export { UploadButton, type UploadButtonProps } from './upload-button.tsx';
export { UploadDropzone, type UploadDropzoneProps } from './upload-dropzone.tsx';
export { UploadList, type UploadListProps } from './upload-list.tsx';
export type { UploadPartProps } from './upload-props.ts';
export { useFile } from './use-file.ts';
export type { Loaded } from './use-loaded.ts';
export { type UnfinishedUploads, useUnfinishedUploads } from './use-unfinished-uploads.ts';
export { type UseUpload, useUpload } from './use-upload.ts';
export { type UploadItem, type UseUploads, type UseUploadsOptions, useUploads } from './use-uploads.ts';
export { Video, type VideoProps } from './video.tsx';
/** The version of this package, as in its package.json. */
export const VERSION = '0.1.0';
