import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { clientTypes } from './client-types.ts';

it('the types of the SDK are what "npm run docs" would write', async () => {
  const written = await readFile(new URL('../../../../../packages/sdk/src/openapi.ts', import.meta.url), 'utf8');
  expect(written).toBe(await clientTypes());
});

it('names what the contracts name, and says what each operation takes and gives', async () => {
  const types = await clientTypes();
  expect(types).toContain(
    `"GET /files/{id}": { path: { id: string }; query?: { projectId?: string }; data: FileDetail };`,
  );
  expect(types).toContain(`"POST /uploads/init": { body: InitUploadBody; data: InitUploadResult };`);
  expect(types).toMatch(/recursive\?: boolean/);
});
