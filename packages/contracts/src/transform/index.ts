export { printTransform, printTransformQuery, transformAddress, withoutDefaults } from './canonical.ts';
export { FIELD_NAMES as TRANSFORM_FIELD_NAMES } from './fields.ts';
export { isTransformParameter, parseTransformQuery, parseTransformSteps } from './parse.ts';
export * from './transform.ts';
