export * from './key-ring.ts';
export * from './resealing.ts';
export * from './sealer.ts';
