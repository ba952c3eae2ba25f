import { StorableText } from '@carcosa/contracts';
import type { FileName, FileNames } from '@carcosa/domain';
import { z } from 'zod';
import type { Routes } from '../http/types.ts';

const MAX_FILES = 1000;
const PATH = '/uploadthing/v6';

const Name = StorableText.min(1).max(256);
const Names = z.union([
  z.object({ fileKeys: z.array(Name).min(1).max(MAX_FILES) }),
  z.object({ customIds: z.array(Name).min(1).max(MAX_FILES) }),
]);
const One = z.union([z.object({ fileKey: Name }), z.object({ customId: Name })]);

const named = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.union([z.object({ fileKey: Name, ...shape }), z.object({ customId: Name, ...shape })]);
const updates = <Item extends z.ZodType>(item: Item) => z.object({ updates: z.array(item).min(1).max(MAX_FILES) });

const RenameBody = updates(z.union([named({ newName: StorableText.min(1).max(1024) }), named({ newCustomId: Name })]));
const AclBody = updates(named({ acl: z.enum(['public-read', 'private']) }));
const ListBody = z
  .object({
    limit: z.number().int().min(1).max(MAX_FILES).default(500),
    offset: z
      .number()
      .int()
      .min(0)
      .max(2 ** 31)
      .default(0),
  })
  .nullish();
const AccessBody = z.intersection(One, z.object({ expiresIn: z.coerce.number().int().min(1).max(604_800).optional() }));

const STATUS = { uploaded: 'Uploaded', uploading: 'Uploading', failed: 'Failed', trashed: 'Deletion Pending' } as const;
/** Seconds for which UploadThing's addresses are good where nobody says. */
const ACCESS_SECONDS = 300;

/** What UTApi asks, all by POST with the key in `x-uploadthing-api-key`. */
export const restRoutes: Routes = (app, { signedFiles }) => {
  const hidden = <Body extends z.ZodType>(body: Body) => ({ hide: true, body });

  app.post(
    `${PATH}/deleteFiles`,
    { config: { permission: 'files:delete', limit: 'delete' }, schema: hidden(Names) },
    async ({ actor, body }) => {
      return { success: true, deletedCount: await signedFiles.remove(actor, body as FileNames) };
    },
  );

  app.post(
    `${PATH}/getFileUrl`,
    { config: { permission: 'files:read', limit: 'read' }, schema: hidden(Names) },
    async ({ actor, body }) => {
      const found = await signedFiles.addresses(actor, body as FileNames);
      return { data: found.map(({ key, url }) => ({ key, url })) };
    },
  );

  app.post(
    `${PATH}/listFiles`,
    { config: { permission: 'files:read', limit: 'read' }, schema: hidden(ListBody) },
    async ({ actor, body }) => {
      const { hasMore, files } = await signedFiles.list(actor, body ?? { limit: 500, offset: 0 });
      return {
        hasMore,
        files: files.map(({ state, uploadedAt, ...file }) => {
          return { ...file, status: STATUS[state], uploadedAt: Math.trunc(uploadedAt) };
        }),
      };
    },
  );

  app.post(
    `${PATH}/renameFiles`,
    { config: { permission: 'files:write' }, schema: hidden(RenameBody) },
    async ({ actor, body }) => {
      await signedFiles.rename(actor, body.updates);
      return { success: true };
    },
  );

  app.post(
    `${PATH}/updateACL`,
    { config: { permission: 'files:write' }, schema: hidden(AclBody) },
    async ({ actor, body }) => {
      const changes = body.updates.map(({ acl, ...name }) => {
        return { ...(name as FileName), visibility: acl === 'private' ? ('private' as const) : ('public' as const) };
      });
      await signedFiles.setVisibility(actor, changes);
      return { success: true };
    },
  );

  app.post(
    `${PATH}/requestFileAccess`,
    { config: { permission: 'files:read', limit: 'read' }, schema: hidden(AccessBody) },
    async ({ actor, body }) => {
      const url = await signedFiles.sign(actor, body, body.expiresIn ?? ACCESS_SECONDS);
      return { url, ufsUrl: url };
    },
  );

  app.post(
    `${PATH}/getUsageInfo`,
    { config: { permission: 'usage:read', limit: 'read' }, schema: hidden(z.unknown()) },
    async ({ actor }) => {
      const { files, bytes, limit } = await signedFiles.usage(actor);
      // Their clients know no "unlimited".
      const limitBytes = limit ?? Number.MAX_SAFE_INTEGER;
      return { totalBytes: bytes, appTotalBytes: bytes, filesUploaded: files, limitBytes };
    },
  );
};
