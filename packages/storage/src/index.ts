export * from './key.ts';
export type * from './port.ts';
