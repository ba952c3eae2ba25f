import { CarcosaError } from '@carcosa/kernel';
import type { Actor } from '../access/actor.ts';

/**
 * Whether the actor runs this server: the program, a user who is marked so, or the key that the program made for whoever started it.
 * Only such keys have a factor, and no interface gives one; `admin` alone is the right of a project.
 */
export function isServerAdministrator(actor: Actor): boolean {
  if (actor.type === 'system') return true;
  if (actor.type === 'user') return actor.isServerAdmin;
  return actor.type === 'api-key' && actor.limitFactor > 1 && actor.permissions.has('admin');
}

/** @throws CarcosaError `forbidden` */
export function assertServerAdministrator(actor: Actor): void {
  if (isServerAdministrator(actor)) return;
  throw new CarcosaError('forbidden', { message: 'Only administrators of this server may do that.' });
}
