export * from './alarm-evaluator.ts';
export * from './alarm-measures.ts';
export * from './alarm-service.ts';
export * from './alarm-teller.ts';
