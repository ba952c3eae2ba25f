export * from './alarm-measures.ts';
export * from './alarm-states.ts';
export * from './alarms.ts';
