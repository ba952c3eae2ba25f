import { z } from 'zod';

/** Every job: its name and what it carries. A handler for each must be there at boot, and only one. */
export const JOBS = {
  /** Removes staged bytes of uploads that ended, and objects that nothing refers to. */
  'collect-garbage': z.object({}),
  /** Reads an object back to learn its SHA-256 and MD5 where nothing computed them while it came in. */
  'hash-object': z.object({ objectId: z.string() }),
  /** Removes audit entries that are older than the plan of their organization keeps them. */
  'retain-audit': z.object({}),
  /** Links new audit entries to the chain of their organization. */
  'seal-audit': z.object({}),
  /** Purges files that have been in the trash for longer than their project keeps them. */
  'purge-trash': z.object({}),
  /** Tells an app of an upload, where that was not taken before. */
  'deliver-callback': z.object({ callbackId: z.string() }),
  /** Ends uploads by signed addresses that nobody has settled, and sends callbacks that a crash left. */
  'settle-signed-uploads': z.object({}),
  /** Removes all files of a project that was removed, or of one tenant of it. */
  'remove-files': z.object({ projectId: z.string(), tenantId: z.string().nullable() }),
} as const satisfies Record<string, z.ZodType>;

export type JobName = keyof typeof JOBS;
export type JobData<Name extends JobName> = z.infer<(typeof JOBS)[Name]>;
