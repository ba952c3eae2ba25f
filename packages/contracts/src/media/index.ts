export * from './arrival-rule.ts';
export * from './file-facts.ts';
export * from './media-step.ts';
export * from './transform-job.ts';
