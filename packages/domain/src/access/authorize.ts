import type { Permission } from '@carcosa/contracts';
import { CarcosaError, isId, type ProjectId } from '@carcosa/kernel';
import type { Actor } from './actor.ts';

/**
 * The one decision that every door asks: may `actor` use `permission` on something of `projectId`?
 * @throws CarcosaError `not_found` for another project (one may not learn of it), `forbidden` for a missing permission.
 */
export function authorize(actor: Actor, permission: Permission, projectId: ProjectId): void {
  if (actor.type === 'system') return;
  if (actor.projectId !== projectId) throw new CarcosaError('not_found');
  if (actor.permissions.has(permission) || actor.permissions.has('admin')) return;
  throw new CarcosaError('forbidden', { details: { permission } });
}

/**
 * The project that a request is about: the key's own, which a `projectId` beside it may only repeat.
 * @throws CarcosaError `not_found` for another one, `invalid_request` when there is none.
 */
export function projectOf(actor: Actor, requested?: string): ProjectId {
  if (actor.type === 'api-key') {
    if (requested !== undefined && requested !== actor.projectId) throw new CarcosaError('not_found');
    return actor.projectId;
  }
  if (!isId('project', requested))
    throw new CarcosaError('invalid_request', { message: 'Say which project: projectId.' });
  return requested;
}
