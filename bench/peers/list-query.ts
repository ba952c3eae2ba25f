/**
 * Bare node:http and `pg`: the query of a listing and nothing else, no access check and no limits. `/rows` has Node make
 * the JSON of the rows, `/json` has PostgreSQL make it. With `?createdAt=&id=` the page after that row, else the first.
 */
import { createServer } from 'node:http';
import pg from 'pg';

const projectId = process.env.PROJECT ?? '';
const pool = new pg.Pool({ ...JSON.parse(process.env.CONNECTION ?? '{}'), max: Number(process.env.POOL) });

const COLUMNS = `id, key, name, path, size, content_type as "contentType", declared_content_type as "declaredContentType",
  encode(sha256, 'hex') as sha256, encode(md5, 'hex') as md5, visibility, version, metadata, tags, tenant_id as "tenantId",
  bucket_id as "bucketId", uploaded_by as "uploadedBy", created_at as "createdAt", updated_at as "updatedAt",
  deleted_at as "deletedAt"`;

function statement(deep: boolean): string {
  const after = deep ? 'and (created_at, id) < ($2::timestamptz, $3)' : '';
  return `select ${COLUMNS} from files where project_id = $1 and deleted_at is null ${after}
    order by created_at desc, id desc limit 50`;
}

/** Named, so that PostgreSQL parses each once a connection: the strongest form that the driver has. */
async function page(json: boolean, values: string[]): Promise<string> {
  const text = statement(values.length > 1);
  const name = `list-${json}-${values.length}`;
  if (!json) return JSON.stringify((await pool.query({ name, text, values })).rows);
  const wrapped = `select coalesce(json_agg(page), '[]')::text as page from (${text}) page`;
  return (await pool.query<{ page: string }>({ name, text: wrapped, values })).rows[0]?.page ?? '[]';
}

const server = createServer(async (request, response) => {
  const url = new URL(request.url ?? '/', 'http://127.0.0.1');
  if (url.pathname !== '/rows' && url.pathname !== '/json') {
    response.writeHead(404).end();
    return;
  }
  const createdAt = url.searchParams.get('createdAt');
  const values = createdAt === null ? [projectId] : [projectId, createdAt, url.searchParams.get('id') ?? ''];
  try {
    const body = await page(url.pathname === '/json', values);
    response
      .writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) })
      .end(body);
  } catch (error) {
    response.writeHead(500).end(String(error));
  }
});
server.listen(Number(process.env.PORT), '127.0.0.1');
