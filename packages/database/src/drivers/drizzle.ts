import { createRequire } from 'node:module';
import type * as Migrator from 'drizzle-orm/migrator';
import type * as NodePostgres from 'drizzle-orm/node-postgres';
import type * as NodePostgresMigrator from 'drizzle-orm/node-postgres/migrator';

// As ES modules, Drizzle's files make Node 24 read its package.json of 180 kB anew for each of them: 0.7 s and 230 MB of memory
// that stays. As CommonJS, 0.1 s and 20 MB. Loaded when first used, because most of our SQL is written by hand.
const require = createRequire(import.meta.url);

export const nodePostgres = (): typeof NodePostgres => require('drizzle-orm/node-postgres') as typeof NodePostgres;

export const migrationFiles = (): typeof Migrator => require('drizzle-orm/migrator') as typeof Migrator;

export const migrator = (): typeof NodePostgresMigrator =>
  require('drizzle-orm/node-postgres/migrator') as typeof NodePostgresMigrator;
