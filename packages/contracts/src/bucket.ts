import { z } from 'zod';
import { Origin } from './access.ts';
import { queryInteger, StorableText, Timestamp } from './common.ts';

/** What a team may do with a bucket: see files there, put new ones there, or also look after it. */
export const BUCKET_ACCESS = ['read-only', 'read-write', 'admin'] as const;
export const BucketAccess = z.enum(BUCKET_ACCESS);
export type BucketAccess = z.infer<typeof BucketAccess>;

/** What a bucket must let us do. */
export const BUCKET_RIGHTS = ['put', 'get', 'list', 'delete', 'multipart', 'presigned', 'cors'] as const;
export const BucketRight = z.enum(BUCKET_RIGHTS);

/** Names that the environment gives its own buckets. */
const bucketName = StorableText.trim()
  .min(1)
  .max(100)
  .refine((name) => name !== 'local' && !name.startsWith('s3 '), {
    message: '"local" and names that begin with "s3 " are those of buckets that the server makes itself',
  });

// Neither a name with a password nor a query belongs into an address that is shown to others.
const endpoint = z
  .url({ protocol: /^https?$/ })
  .max(500)
  .refine(
    (text) => {
      const url = URL.parse(text);
      return url !== null && url.username + url.password + url.search + url.hash === '';
    },
    { message: 'an http or https address without user, query and fragment, such as https://s3.example.com' },
  )
  .transform((text) => text.replace(/\/+$/, ''));

const region = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/)
  .describe('as the provider calls it; "auto" for Cloudflare R2');

const s3BucketName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$/);

const prefix = z
  .string()
  .max(200)
  .regex(/^[A-Za-z0-9._~@%+=,-]+(\/[A-Za-z0-9._~@%+=,-]+)*\/?$/)
  .refine((text) => !text.split('/').some((segment) => segment === '.' || segment === '..'))
  .transform((text) => text.replace(/\/+$/, ''))
  .describe('a folder in the bucket under which everything of ours lies');

const printable = z.string().regex(/^[\x21-\x7e]+$/, { message: 'printable ASCII without spaces' });

/** Sealed when they come in, and never told again. */
export const BucketCredentials = z.strictObject({
  accessKeyId: printable.max(256),
  secretAccessKey: printable.max(1024),
});
export type BucketCredentials = z.infer<typeof BucketCredentials>;

export const ShareBucketBody = z.strictObject({ teamId: z.string(), access: BucketAccess.default('read-write') });
export type ShareBucketBody = z.infer<typeof ShareBucketBody>;

const common = {
  organizationId: z.string(),
  name: bucketName,
  shares: z.array(ShareBucketBody).max(100).default([]).describe('teams that may use it from the start'),
};

const S3_PLACE = {
  endpoint: endpoint.optional().describe("absent: Amazon's"),
  publicEndpoint: endpoint.optional().describe("the provider's address as browsers see it, where it is another one"),
  region: region.optional().describe('default: what suits the endpoint'),
  pathStyle: z.boolean().optional().describe('https://host/bucket/key; default: what suits the endpoint'),
};

export const CreateBucketBody = z.discriminatedUnion('provider', [
  z.strictObject({
    ...common,
    provider: z.literal('s3'),
    bucket: s3BucketName,
    prefix: prefix.optional(),
    ...S3_PLACE,
    credentials: BucketCredentials,
  }),
  z.strictObject({ ...common, provider: z.literal('local') }),
]);
export type CreateBucketBody = z.infer<typeof CreateBucketBody>;

/** The bucket itself and its prefix cannot be changed: files lie there. */
export const UpdateBucketBody = z
  .strictObject({
    name: bucketName.optional(),
    credentials: BucketCredentials.optional(),
    ...S3_PLACE,
    publicEndpoint: endpoint.nullable().optional(),
  })
  .refine((body) => Object.keys(body).length > 0, { message: 'say at least one thing to change' })
  .refine(({ credentials, endpoint: host, region: place }) => credentials || (host ?? place) === undefined, {
    message: 'send the credentials again with another endpoint or region',
    path: ['credentials'],
  });
export type UpdateBucketBody = z.infer<typeof UpdateBucketBody>;

export const ListBucketsQuery = z.object({
  organizationId: z.string().optional(),
  limit: queryInteger(1, 1000).default(50),
  cursor: z.string().max(4096).optional(),
});
export type ListBucketsQuery = z.infer<typeof ListBucketsQuery>;

export const BucketShare = z.object({ teamId: z.string(), access: BucketAccess, createdAt: Timestamp });
export type BucketShare = z.infer<typeof BucketShare>;

export const Bucket = z.object({
  id: z.string(),
  organizationId: z.string(),
  name: z.string(),
  provider: z.enum(['s3', 'local']),
  place: z
    .object({
      endpoint: z.string().nullable(),
      publicEndpoint: z.string().nullable(),
      region: z.string(),
      bucket: z.string(),
      prefix: z.string(),
      pathStyle: z.boolean(),
    })
    .nullable()
    .describe('null for a local bucket'),
  accessKeyIdEnd: z.string().nullable().describe('the last 4 characters of the access key id, to tell keys apart'),
  fromEnvironment: z.boolean().describe('set by the environment of the server, and not to be changed here'),
  mayManage: z.boolean(),
  shares: z.array(BucketShare).describe('the teams that may use it; of those, the ones that you may know of'),
  createdAt: Timestamp,
});
export type Bucket = z.infer<typeof Bucket>;

export const ExamineBucketBody = z
  .strictObject({
    origins: z.array(Origin).max(20).optional().describe('of pages that upload straight to the bucket; default: ours'),
  })
  .nullish()
  .transform((body) => body ?? {});
export type ExamineBucketBody = z.infer<typeof ExamineBucketBody>;

export const BucketFinding = z.object({
  right: BucketRight,
  status: z.enum(['granted', 'missing', 'unknown', 'not-needed']),
  message: z.string().describe('for a person: what was seen, and what to do'),
  actions: z.array(z.string()).describe("what to add to the key's policy, in the words of S3"),
});
export type BucketFinding = z.infer<typeof BucketFinding>;

export const BucketExamination = z.object({
  usable: z.boolean().describe('nothing that Carcosa needs is missing or unknown; CORS only matters to browsers'),
  problem: z.string().nullable().describe('why nothing could be tried at all'),
  rights: z.array(BucketFinding),
});
export type BucketExamination = z.infer<typeof BucketExamination>;

export const BucketCorsFix = z.object({
  fixed: z.boolean(),
  message: z.string(),
  rule: z.unknown().describe('the rule that was set, or that somebody who may has to set'),
  right: BucketFinding.describe('what was seen afterwards'),
});
export type BucketCorsFix = z.infer<typeof BucketCorsFix>;

export const AddProjectBucketBody = z
  .strictObject({ default: z.boolean().default(false).describe('new files of the project go there from now on') })
  .nullish()
  .transform((body) => body ?? { default: false });
export type AddProjectBucketBody = z.infer<typeof AddProjectBucketBody>;

export const ProjectBucket = z.object({
  bucketId: z.string(),
  name: z.string(),
  provider: z.enum(['s3', 'local']),
  default: z.boolean(),
  access: BucketAccess.nullable().describe("what the project's team may do there"),
});
export type ProjectBucket = z.infer<typeof ProjectBucket>;
