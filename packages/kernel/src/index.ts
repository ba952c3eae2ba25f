export * from './clock.ts';
export * from './config.ts';
export * from './error-codes.ts';
export * from './errors.ts';
export * from './ids.ts';
export * from './logger.ts';
export * from './random.ts';
export * from './tally.ts';
