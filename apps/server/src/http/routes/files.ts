import {
  BulkFilesBody,
  BulkResult,
  CopyFileBody,
  DeleteFileQuery,
  File,
  FileDetail,
  FileVersion,
  Folder,
  ListFilesQuery,
  ListFoldersQuery,
  ListVersionsQuery,
  page,
  queryInteger,
  RestoreFileBody,
  success,
  UpdateFileBody,
} from '@carcosa/contracts';
import { z } from 'zod';
import { success as answer, JSON_TYPE, successText } from '../envelope.ts';
import type { Routes } from '../types.ts';

const params = z.object({ id: z.string() });
const querystring = z.object({ projectId: z.string().optional() });
const tags = ['files'];

export const fileRoutes: Routes = (app, carcosa) => {
  readingRoutes(app, carcosa);
  changingRoutes(app, carcosa);
  versionRoutes(app, carcosa);
};

const readingRoutes: Routes = (app, { files, clock }) => {
  app.get(
    '/api/v1/files',
    {
      config: { permission: 'files:read' },
      schema: {
        tags,
        summary: 'List files',
        description:
          'In pages: pass `nextCursor` back as `cursor`, with the same `sort` and `status`. Any page costs what the first costs.',
        querystring: ListFilesQuery,
        response: { 200: success(page(File)) },
      },
    },
    async (request, reply) => {
      // PostgreSQL wrote the JSON and it goes out as it is, where the type of the answer expects what would become it.
      const text = successText(clock, await files.list(request.actor, request.query));
      return reply.type(JSON_TYPE).send(text as never);
    },
  );

  app.get(
    '/api/v1/files/folders',
    {
      config: { permission: 'files:read' },
      schema: {
        tags,
        summary: 'List the subfolders of a folder with the files and bytes below each',
        description:
          'In the order of `name/`. A page takes the longer, the more files lie below its folders: about a second for four million.',
        querystring: ListFoldersQuery,
        response: { 200: success(page(Folder)) },
      },
    },
    async (request) => answer(clock, await files.listFolders(request.actor, request.query)),
  );

  app.get(
    '/api/v1/files/:id',
    {
      config: { permission: 'files:read' },
      schema: {
        tags,
        summary: 'Read a file, also in the trash, with what is known of its content',
        params,
        querystring,
        response: { 200: success(FileDetail) },
      },
    },
    async (request) => answer(clock, await files.get(request.actor, { ...request.query, ...request.params })),
  );
};

const changingRoutes: Routes = (app, { files, clock }) => {
  app.patch(
    '/api/v1/files/:id',
    {
      config: { permission: 'files:write' },
      schema: {
        tags,
        summary: 'Rename, move or edit a file',
        description: '`metadata` and `tags` replace what was there. A path that another file has is 409 `path_taken`.',
        params,
        querystring,
        body: UpdateFileBody,
        response: { 200: success(File) },
      },
    },
    async (request) =>
      answer(clock, await files.update(request.actor, { ...request.query, ...request.params }, request.body)),
  );

  app.delete(
    '/api/v1/files/:id',
    {
      config: { permission: 'files:delete' },
      schema: {
        tags,
        summary: 'Move a file to the trash, or purge it',
        description:
          'Answers with the file as it is in the trash; with `permanent=true`, as it was before it was purged with all its versions.',
        params,
        querystring: DeleteFileQuery,
        response: { 200: success(File) },
      },
    },
    async (request) => {
      const { permanent, projectId } = request.query;
      const target = { projectId, ...request.params };
      return answer(clock, await (permanent ? files.purge(request.actor, target) : files.trash(request.actor, target)));
    },
  );

  app.post(
    '/api/v1/files/:id/restore',
    {
      config: { permission: 'files:write' },
      schema: {
        tags,
        summary: 'Take a file out of the trash',
        description: 'Where its path has been taken meanwhile (409 `path_taken`), give another one.',
        params,
        querystring,
        // No body at all is null here.
        body: RestoreFileBody.nullish(),
        response: { 200: success(File) },
      },
    },
    async (request) =>
      answer(clock, await files.restore(request.actor, { ...request.query, ...request.params }, request.body ?? {})),
  );

  app.post(
    '/api/v1/files/:id/copy',
    {
      config: { permission: 'files:write', idempotent: true },
      schema: {
        tags,
        summary: 'Copy a file',
        description: 'The copy has the present content, metadata, tags and visibility, and an address of its own.',
        params,
        querystring,
        body: CopyFileBody,
        response: { 201: success(File) },
      },
    },
    async (request, reply) => {
      reply.code(201);
      return answer(clock, await files.copy(request.actor, { ...request.query, ...request.params }, request.body));
    },
  );

  app.post(
    '/api/v1/files/bulk',
    {
      config: { permission: ['files:write', 'files:delete'], idempotent: true, limit: 'expensive' },
      schema: {
        tags,
        summary: 'Delete, purge, restore, move, copy or update up to 1,000 files',
        description:
          'As if one after the other, each item with its own result; one that fails does not touch the others. Delete and purge need `files:delete`, the others `files:write`.',
        querystring,
        body: BulkFilesBody,
        response: { 200: success(BulkResult) },
      },
    },
    async (request) => answer(clock, await files.bulk(request.actor, request.body, request.query)),
  );
};

const versionRoutes: Routes = (app, { files, clock }) => {
  app.get(
    '/api/v1/files/:id/versions',
    {
      config: { permission: 'files:read' },
      schema: {
        tags,
        summary: 'List the versions of a file, newest first',
        params,
        querystring: ListVersionsQuery,
        response: { 200: success(page(FileVersion)) },
      },
    },
    async (request) => answer(clock, await files.listVersions(request.actor, { ...request.query, ...request.params })),
  );

  app.post(
    '/api/v1/files/:id/versions/:version/restore',
    {
      config: { permission: 'files:write', idempotent: true },
      schema: {
        tags,
        summary: 'Make an earlier version the present one',
        description: 'Its content becomes a new version; nothing is lost. The present version itself stays as it is.',
        params: z.object({ id: z.string(), version: queryInteger(1, 2 ** 31 - 1) }),
        querystring,
        response: { 200: success(File) },
      },
    },
    async (request) =>
      answer(clock, await files.restoreVersion(request.actor, { ...request.query, ...request.params })),
  );
};
