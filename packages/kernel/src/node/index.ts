export * from './address-guard.ts';
export * from './process-identity.ts';
