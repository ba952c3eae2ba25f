export * from './audit-entry.ts';
export * from './audit-retention.ts';
export * from './audit-sealer.ts';
export * from './audit-service.ts';
export * from './audit-verifier.ts';
export * from './record.ts';
export * from './redact.ts';
export { isAnyId, isRefusal, type Refusal } from './refusal.ts';
export * from './refusal-log.ts';
