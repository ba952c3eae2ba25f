export { acceptedFormat } from './negotiate.ts';
export * from './preset-service.ts';
export * from './remote-pictures.ts';
export * from './transform-addresses.ts';
export * from './transform-service.ts';
export { TransformSigner } from './transform-signer.ts';
export { type VariantBody, VariantCache, type VariantCacheOptions, type VariantOwner } from './variant-cache.ts';
