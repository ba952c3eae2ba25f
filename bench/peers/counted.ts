/**
 * Our server twice in one process, on one database: one counts what is used, the other does not. So both have the same code, memory and
 * moment. `/facts` of the first, which listens on PORT, makes a file and tells where both listen.
 */
import { startTestNode, type TestNode } from '@carcosa/server/testing';

const directory = process.env.CARCOSA_DATA_DIR ?? '';
let facts: Promise<object> | undefined;

const counting: TestNode = await startTestNode({
  env: { CARCOSA_DATA_DIR: directory },
  port: Number(process.env.PORT),
  routes: (app) => {
    app.get('/facts', { config: { public: true, limit: false }, schema: { hide: true } }, async () => {
      facts ??= makeFile();
      return await facts;
    });
  },
});
const silent = await startTestNode({
  env: { CARCOSA_DATA_DIR: directory, DATABASE_URL: counting.carcosa.database.connectionString },
  countsUsage: false,
});

async function makeFile(): Promise<object> {
  const { carcosa, url } = counting;
  const { rows } = await carcosa.database.pool.query(`select id from projects where slug = 'default'`);
  const projectId = rows[0]?.id;
  const input = { projectId, label: 'bench', permissions: ['admin' as const], limitFactor: 1_000_000 };
  const { token: key } = await carcosa.apiKeys.create(input);
  const json = { 'x-api-key': key, 'content-type': 'application/json' };
  const body = JSON.stringify({ 'public-download': null });
  const lifted = await fetch(`${url}/api/v1/rate-limits/projects/${projectId}`, { method: 'PUT', headers: json, body });
  if (lifted.status !== 200) throw new Error(`the limit of downloads could not be lifted: ${await lifted.text()}`);
  const made = await fetch(`${url}/api/v1/files?path=bench/counted.bin&visibility=public`, {
    method: 'POST',
    headers: { 'x-api-key': key },
    body: Buffer.alloc(1024, 'x'),
  });
  const { data } = (await made.json()) as { data: { id: string; key: string } };
  return { key, silent: silent.url, id: data.id, fileKey: data.key };
}

process.once('SIGTERM', async () => {
  await silent.close();
  await counting.close();
  process.exit(0);
});
