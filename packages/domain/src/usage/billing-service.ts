import type { Billing, PutBillingBody } from '@carcosa/contracts';
import { findBilling, findOrganization, type Queryable, setBillingCustomer } from '@carcosa/database';
import { CarcosaError, type Clock, isId, type OrganizationId } from '@carcosa/kernel';
import { authorizeOrganization } from '../access/access.ts';
import type { Actor } from '../access/actor.ts';
import { record } from '../audit/record.ts';
import { assertServerAdministrator, isServerAdministrator } from '../limits/server-administrator.ts';
import type { MeteredBilling } from './metered-billing.ts';
import { dayOf } from './usage-scope.ts';

export interface BillingServiceParts {
  db: Queryable;
  transaction<Result>(work: (tx: Queryable) => Promise<Result>): Promise<Result>;
  clock: Clock;
  /** Absent: nothing is reported. */
  billing: MeteredBilling | undefined;
}

/** Says who pays for an organization: administrators of the server do, its owners and admins may see it. */
export class BillingService {
  readonly #parts: BillingServiceParts;

  constructor(parts: BillingServiceParts) {
    this.#parts = parts;
  }

  /** @throws CarcosaError `forbidden`, `not_found` */
  async get(actor: Actor, id: string): Promise<Billing> {
    return await this.#read(this.#parts.db, await this.#find(actor, id));
  }

  /** What is used is reported from this day on. @throws CarcosaError `forbidden`, `not_found` */
  async set(actor: Actor, id: string, { customerId }: PutBillingBody): Promise<Billing> {
    const { transaction, clock } = this.#parts;
    const organizationId = await this.#find(actor, id);
    assertServerAdministrator(actor);
    return await transaction(async (tx) => {
      const before = await this.#read(tx, organizationId);
      await setBillingCustomer(tx, organizationId, { customerId, since: dayOf(clock.now()) });
      await record(tx, clock, actor, {
        action: 'organization.set-billing',
        resource: { type: 'organization', id: organizationId },
        place: { organizationId },
        before: { customerId: before.customerId },
        after: { customerId },
      });
      return await this.#read(tx, organizationId);
    });
  }

  async #find(actor: Actor, id: string): Promise<OrganizationId> {
    if (!isId('organization', id)) throw new CarcosaError('not_found');
    if (!isServerAdministrator(actor)) authorizeOrganization(actor, 'manage', id);
    if (!(await findOrganization(this.#parts.db, id))) throw new CarcosaError('not_found');
    return id;
  }

  async #read(db: Queryable, id: OrganizationId): Promise<Billing> {
    return { ...(await findBilling(db, id)), isConnected: this.#parts.billing !== undefined };
  }
}
