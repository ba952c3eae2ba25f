/** What an API key or a member may be allowed; `admin` implies all. */
export const PERMISSIONS = [
  'files:read',
  'files:write',
  'files:delete',
  'transforms:read',
  'transforms:write',
  'transforms:delete',
  'transforms:execute',
  'projects:read',
  'projects:write',
  'projects:delete',
  'api-keys:read',
  'api-keys:write',
  'api-keys:delete',
  'tenants:manage',
  'usage:read',
  'audit-logs:read',
  'admin',
] as const;

export type Permission = (typeof PERMISSIONS)[number];
