export * from './control.ts';
export * from './files.ts';
export * from './uploads.ts';
