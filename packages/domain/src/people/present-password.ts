import { hasPassword, type Queryable } from '@carcosa/database';
import { CarcosaError } from '@carcosa/kernel';
import type { UserActor } from '../access/actor.ts';
import type { AuthLibrary } from './auth-library.ts';
import type { SessionService } from './session-service.ts';

export interface PresentPasswordParts {
  db: Queryable;
  library: AuthLibrary;
  sessions: SessionService;
}

/**
 * Lets go on who knows the password of the account, where it has one: an open browser is not enough to take it over or to end it.
 * @throws CarcosaError `invalid_credentials`
 */
export async function assertPassword(
  { db, library, sessions }: PresentPasswordParts,
  actor: UserActor,
  password: string | undefined,
): Promise<void> {
  if (!(await hasPassword(db, actor.id))) return;
  if (password === undefined) throw new CarcosaError('invalid_credentials', { message: 'Send your present password.' });
  const headers = library.headersFor(actor, await sessions.libraryToken(actor));
  await library.call(({ api }) => api.verifyPassword({ body: { password }, headers }));
}
