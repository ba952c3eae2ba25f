export * from './complete-uploads.ts';
export * from './parts-repository.ts';
export * from './upload-row.ts';
export * from './uploads-repository.ts';
export * from './whole-uploads.ts';
