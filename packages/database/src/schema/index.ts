export * from './audit.ts';
export * from './control.ts';
export * from './events.ts';
export * from './files.ts';
export * from './limits.ts';
export * from './people.ts';
export * from './tenancy.ts';
export * from './uploads.ts';
