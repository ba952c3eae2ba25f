import type { LoggedIn, Passkey, PasskeyCeremony, PasskeyLoginBody, PasskeyRegistrationBody } from '@carcosa/contracts';
import { deletePasskey, listPasskeys, type PasskeyRow, type Queryable, renamePasskey } from '@carcosa/database';
import { CarcosaError, type Clock, toIsoString } from '@carcosa/kernel';
import type { Actor } from '../access/actor.ts';
import { record } from '../audit/record.ts';
import { type AuthLibrary, cookieOf, headersOf, safeCookie } from './auth-library.ts';
import { LIBRARY_COOKIES } from './library-names.ts';
import type { SessionService } from './session-service.ts';
import { person, type Visitor } from './visitor.ts';

export interface PasskeyServiceParts {
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  clock: Clock;
  library: AuthLibrary;
  sessions: SessionService;
}

/** Passkeys (WebAuthn): each ceremony begins with options that serve once, within five minutes. */
export class PasskeyService {
  readonly #parts: PasskeyServiceParts;

  constructor(parts: PasskeyServiceParts) {
    this.#parts = parts;
  }

  /** @throws CarcosaError `login_not_fresh` when the session began more than a day ago */
  async beginRegistration(actor: Actor): Promise<PasskeyCeremony> {
    const headers = await this.#headers(actor);
    return ceremony(
      await this.#parts.library.call(({ api }) =>
        api.generatePasskeyRegistrationOptions({ headers, query: {}, returnHeaders: true }),
      ),
    );
  }

  /** @throws CarcosaError `passkey_refused` for an answer to other options, of another site, or without its person's consent */
  async finishRegistration(actor: Actor, input: PasskeyRegistrationBody): Promise<Passkey> {
    const headers = await this.#headers(actor, challengeCookie(input.challengeToken));
    const { response, name } = input;
    const body = { response, ...(name === undefined ? {} : { name }) };
    const made = await this.#parts.library.call(({ api }) => api.verifyPasskeyRegistration({ body, headers }));
    const { id } = made;
    await this.#record(this.#parts.db, actor, 'user.add-passkey', { id, name: name ?? null });
    const rows = await listPasskeys(this.#parts.db, person(actor).id);
    return toPasskey(rows.find((row) => row.id === id) ?? null);
  }

  async beginLogin(visitor: Visitor): Promise<PasskeyCeremony> {
    const begun = await this.#parts.library.call(({ api }) =>
      api.generatePasskeyAuthenticationOptions({ headers: headersOf(visitor), returnHeaders: true }),
    );
    const { options, challengeToken } = ceremony(begun);
    // A passkey stands for both factors, so it must have seen its person, not only been at hand.
    return { options: { ...options, userVerification: 'required' }, challengeToken };
  }

  /** @throws CarcosaError `passkey_refused`, the same for a passkey that nobody has */
  async finishLogin(visitor: Visitor, input: PasskeyLoginBody): Promise<LoggedIn> {
    const headers = headersOf(visitor, challengeCookie(input.challengeToken));
    const body = { response: input.response };
    const { session } = await this.#parts.library.call(({ api }) => api.verifyPasskeyAuthentication({ body, headers }));
    return await this.#parts.sessions.begin(visitor, session.token);
  }

  async list(actor: Actor): Promise<Passkey[]> {
    return (await listPasskeys(this.#parts.db, person(actor).id)).map(toPasskey);
  }

  /** @throws CarcosaError `not_found` for a passkey that is not one of the actor's own */
  async rename(actor: Actor, id: string, name: string): Promise<Passkey> {
    return toPasskey(await renamePasskey(this.#parts.db, person(actor).id, id, name));
  }

  /** @throws CarcosaError `not_found` for a passkey that is not one of the actor's own */
  async remove(actor: Actor, id: string): Promise<void> {
    await this.#parts.transaction(async (tx) => {
      if (!(await deletePasskey(tx, person(actor).id, id))) throw new CarcosaError('not_found');
      await this.#record(tx, actor, 'user.remove-passkey', { id });
    });
  }

  async #headers(actor: Actor, cookie?: string): Promise<Headers> {
    return this.#parts.library.headersFor(actor, await this.#parts.sessions.libraryToken(actor), cookie);
  }

  async #record(
    tx: Queryable,
    actor: Actor,
    action: 'user.add-passkey' | 'user.remove-passkey',
    passkey: { id: string; name?: string | null },
  ): Promise<void> {
    const resource = { type: 'user', id: person(actor).id } as const;
    const state = { passkeyId: passkey.id, name: passkey.name };
    const change = action === 'user.add-passkey' ? { after: state } : { before: state };
    await record(tx, this.#parts.clock, actor, { action, resource, ...change });
  }
}

function ceremony(begun: { response: object; headers: Headers }): PasskeyCeremony {
  const challengeToken = cookieOf(begun.headers, LIBRARY_COOKIES.passkey);
  if (challengeToken === undefined) throw new Error('the library began a ceremony without a challenge');
  return { options: begun.response as Record<string, unknown>, challengeToken };
}

const challengeCookie = (token: string): string => `${LIBRARY_COOKIES.passkey}=${safeCookie(token)}`;

function toPasskey(row: PasskeyRow | null): Passkey {
  if (!row) throw new CarcosaError('not_found');
  return { ...row, createdAt: toIsoString(row.createdAt.getTime()) };
}
