export { printTransform, printTransformQuery, withoutDefaults } from './canonical.ts';
export { isTransformParameter, parseTransformQuery, parseTransformSteps } from './parse.ts';
export * from './transform.ts';
