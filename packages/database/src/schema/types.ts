import { customType, timestamp } from 'drizzle-orm/pg-core';

/** Raw bytes; 32 of a SHA-256 instead of 64 hex digits. */
export const bytea = customType<{ data: Buffer; driverData: Buffer }>({ dataType: () => 'bytea' });

/** Text compared byte by byte: paths and ids need no language's order, and its index serves prefixes. */
export const byteText = customType<{ data: string; driverData: string }>({ dataType: () => 'text collate "C"' });

/** An instant with the precision that the API shows: milliseconds. */
export const instant = (name: string) => timestamp(name, { withTimezone: true, precision: 3, mode: 'date' });
