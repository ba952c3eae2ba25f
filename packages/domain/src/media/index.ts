export * from './arrival-worker.ts';
export * from './facts-service.ts';
export * from './result-store.ts';
export * from './source-access.ts';
export { StepMaker, type StepMakerParts } from './step-maker.ts';
export * from './transform-jobs.ts';
export * from './transform-runner.ts';
export * from './work-folders.ts';
