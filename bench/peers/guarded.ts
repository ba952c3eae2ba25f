/**
 * Our server with one more route: `/bare` reads a file as `GET /api/v1/files/{id}` does, for an actor that was known before: without key,
 * permission, rate limit and the headers of it. `/facts` makes the file, and tells key, project and file to whoever measures.
 */
import { SYSTEM } from '@carcosa/domain';
import type { ProjectId } from '@carcosa/kernel';
import { startTestNode } from '@carcosa/server/testing';

const open = { public: true, limit: false } as const;
let facts: { key: string; projectId: ProjectId; id: string } | undefined;

const node = await startTestNode({
  env: { CARCOSA_DATA_DIR: process.env.CARCOSA_DATA_DIR ?? '' },
  port: Number(process.env.PORT),
  routes: (app, { files, clock }) => {
    app.get('/bare', { config: open, schema: { hide: true } }, async () => {
      const data = await files.get(SYSTEM, { id: facts?.id ?? '', projectId: facts?.projectId });
      return { data, success: true, timestamp: new Date(clock.now()).toISOString() };
    });
    app.get('/facts', { config: open, schema: { hide: true } }, async () => {
      facts ??= await makeFile();
      return facts;
    });
  },
});

async function makeFile() {
  const { carcosa, url } = node;
  const { rows } = await carcosa.database.pool.query<{ id: ProjectId }>(
    `select id from projects where slug = 'default'`,
  );
  const projectId = rows[0]?.id as ProjectId;
  const input = { projectId, label: 'bench', permissions: ['admin' as const], limitFactor: 1_000_000 };
  const { token: key } = await carcosa.apiKeys.create(input);
  const init = { method: 'POST', headers: { 'x-api-key': key }, body: 'guarded' };
  const made = await fetch(`${url}/api/v1/files?path=bench/guarded.txt`, init);
  return { key, projectId, id: ((await made.json()) as { data: { id: string } }).data.id };
}

process.once('SIGTERM', async () => {
  await node.close();
  process.exit(0);
});
