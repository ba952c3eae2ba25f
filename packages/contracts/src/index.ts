export * from './common.ts';
export * from './file.ts';
export * from './jobs.ts';
export * from './path.ts';
export * from './permissions.ts';
export * from './project.ts';
export * from './storable.ts';
export * from './upload.ts';
