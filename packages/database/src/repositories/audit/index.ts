export * from './audit-chain.ts';
export type { AuditEntryRow } from './audit-columns.ts';
export * from './find-targets.ts';
export * from './list-audit.ts';
export * from './record-audit.ts';
