import { readFile } from 'node:fs/promises';
import { PERMISSIONS } from '@carcosa/contracts';
import { expect, it } from 'vitest';
import { permissionsDocument, routeTable } from './permissions-document.ts';

it('docs/permissions.md is what "npm run docs" would write', async () => {
  const written = await readFile(new URL('../../../../docs/permissions.md', import.meta.url), 'utf8');
  expect(written).toBe(await permissionsDocument());
});

it('knows every route once, and no permission that there is not', async () => {
  const routes = await routeTable();
  const names = routes.map(({ method, url }) => `${method} ${url}`);
  expect(new Set(names).size).toBe(names.length);
  expect(names).toContain('POST /api/v1/files');
  expect(names).toContain('PATCH /api/v1/tus/:id');
  const known: readonly string[] = [...PERMISSIONS, 'public', 'login', 'server-admin'];
  for (const { access } of routes) for (const each of [access].flat()) expect(known).toContain(each);
});
