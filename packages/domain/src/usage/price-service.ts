import type { Prices, PriceTable, PutOrganizationPricesBody, PutPricesBody } from '@carcosa/contracts';
import { findOrganization, listPrices, putPrices, type Queryable } from '@carcosa/database';
import { CarcosaError, type Clock, isId, type OrganizationId } from '@carcosa/kernel';
import { authorizeOrganization } from '../access/access.ts';
import type { Actor } from '../access/actor.ts';
import { record } from '../audit/record.ts';
import { assertServerAdministrator, isServerAdministrator } from '../limits/server-administrator.ts';
import { PriceBook } from './price-book.ts';
import { dayOf } from './usage-scope.ts';

export interface PriceServiceParts {
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  clock: Clock;
}

/** Reads and sets what things cost: administrators of the server set prices, for all and for single organizations. */
export class PriceService {
  readonly #parts: PriceServiceParts;

  constructor(parts: PriceServiceParts) {
    this.#parts = parts;
  }

  async ofServer(actor: Actor): Promise<PriceTable> {
    assertServerAdministrator(actor);
    return await this.#table(this.#parts.db, '');
  }

  async setServer(actor: Actor, { currency, prices }: PutPricesBody): Promise<PriceTable> {
    assertServerAdministrator(actor);
    return await this.#set(actor, '', { currency, prices });
  }

  /** For its members. @throws CarcosaError `not_found` */
  async ofOrganization(actor: Actor, id: string): Promise<PriceTable> {
    return await this.#table(this.#parts.db, this.#find(actor, id));
  }

  /** @throws CarcosaError `not_found`, `forbidden` */
  async setOrganization(actor: Actor, id: string, { prices }: PutOrganizationPricesBody): Promise<PriceTable> {
    const organizationId = this.#find(actor, id);
    assertServerAdministrator(actor);
    return await this.#set(actor, organizationId, { prices });
  }

  #find(actor: Actor, id: string): OrganizationId {
    if (!isId('organization', id)) throw new CarcosaError('not_found');
    if (!isServerAdministrator(actor)) authorizeOrganization(actor, 'read', id);
    return id;
  }

  async #set(
    actor: Actor,
    organizationId: OrganizationId | '',
    change: { currency?: string | undefined; prices: Prices },
  ): Promise<PriceTable> {
    const { transaction, clock } = this.#parts;
    const { prices, currency } = change;
    return await transaction(async (tx) => {
      const before = await this.#table(tx, organizationId);
      const { month } = before;
      // Written down even where it is as it was: it holds from then on.
      const kept = organizationId === '' ? (currency ?? before.currency) : null;
      await putPrices(tx, { organizationId, month, currency: kept, prices }, clock.now());
      const after = await this.#table(tx, organizationId);
      const isServer = organizationId === '';
      await record(tx, clock, actor, {
        action: isServer ? 'prices.update' : 'organization.set-prices',
        resource: isServer ? { type: 'prices', id: 'server' } : { type: 'organization', id: organizationId },
        place: { organizationId },
        before: { currency: before.currency, prices: before.set },
        after: { currency: after.currency, prices: after.set },
      });
      return after;
    });
  }

  async #table(db: Queryable, organizationId: OrganizationId | ''): Promise<PriceTable> {
    if (organizationId !== '' && !(await findOrganization(db, organizationId))) throw new CarcosaError('not_found');
    const book = new PriceBook(await listPrices(db, organizationId));
    const month = dayOf(this.#parts.clock.now()).slice(0, 7);
    const set = book.setIn(month, organizationId === '' ? 'server' : 'organization');
    return { currency: book.currencyIn(month), month, prices: book.pricesIn(month), set };
  }
}
