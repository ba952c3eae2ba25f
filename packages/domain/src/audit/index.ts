export * from './audit-entry.ts';
export * from './redact.ts';
