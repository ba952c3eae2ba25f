export * from './callbacks.ts';
export * from './signed-files.ts';
export * from './signed-uploads.ts';
