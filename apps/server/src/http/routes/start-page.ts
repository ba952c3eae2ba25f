import { START_PAGE_HEADERS, startPage } from '../start-page/page.ts';
import type { Routes } from '../types.ts';

const LOOPBACK = /^(127\.|localhost$|::1$)/;

export const startPageRoutes: Routes = (app, { config, database, version, publicUrl }) => {
  // Who can see the page of a server that only this machine reaches may know where its data lies.
  const isLocal = LOOPBACK.test(config.host) && config.publicUrl === undefined;
  const page = startPage({
    version,
    publicUrl,
    database: database.kind === 'embedded' ? 'PostgreSQL, embedded' : 'PostgreSQL, by DATABASE_URL',
    storage: config.s3 ? 'S3-compatible bucket' : 'Local bucket in the data directory',
    dataDir: isLocal ? config.dataDir : null,
  });

  app.get('/', { config: { public: true }, schema: { hide: true } }, async (_request, reply) => {
    return reply.type('text/html; charset=utf-8').headers(START_PAGE_HEADERS).send(page);
  });
};
