/** `/files/:id/*` as OpenAPI writes it: `/files/{id}/{path}`. */
export function toOpenApiPath(url: string): string {
  return url.replace(/:([A-Za-z]+)/g, '{$1}').replace('*', '{path}');
}

/** The names in `{…}` of a route's address, in their order. */
export function pathParameters(url: string): string[] {
  return [...toOpenApiPath(url).matchAll(/\{([^}]+)\}/g)].map((match) => match[1] ?? '');
}

/** A name for generated clients: `GET /api/v1/files/:id/versions` is `getFilesIdVersions`. Unique, as addresses are. */
export function operationId(method: string, url: string): string {
  const words = toOpenApiPath(url)
    .replace(/^\/api\/v1/, '')
    .split(/[^A-Za-z0-9]+/)
    .filter(Boolean);
  return method.toLowerCase() + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
}
