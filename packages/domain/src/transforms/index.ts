export * from './transform-service.ts';
export { type VariantBody, VariantCache, type VariantCacheOptions } from './variant-cache.ts';
