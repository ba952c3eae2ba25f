import type { User } from '@carcosa/contracts';
import type { UserRow } from '@carcosa/database';
import { toIsoString } from '@carcosa/kernel';

export function toUser({ createdAt, updatedAt, ...rest }: UserRow): User {
  return { ...rest, createdAt: toIsoString(createdAt.getTime()), updatedAt: toIsoString(updatedAt.getTime()) };
}
