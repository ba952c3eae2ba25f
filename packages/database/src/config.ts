import { integerVariable } from '@carcosa/kernel';
import { z } from 'zod';

/** The variables of this package; see {@link readConfig} of the kernel. */
export const databaseVariables = {
  /** Absent: the embedded PostgreSQL in the data directory. */
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\/\S+$/)
    .optional()
    .describe('an address such as postgres://user:password@host:5432/database'),
  /** Connections that this process opens for its queries; listeners and jobs have a few of their own. */
  CARCOSA_DATABASE_POOL_SIZE: integerVariable(1, 1000).default(10),
};
