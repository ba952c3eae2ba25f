import { reportUsage, SYSTEM } from '@carcosa/domain';
import { isCarcosaError } from '@carcosa/kernel';
import { StripeMeteredBilling } from '@carcosa/server/testing';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type StripeFault, StripeStandIn } from '../../support/stripe.ts';
import { QuotaWorld, type Scopes } from '../quotas/support.ts';

const DAY = 24 * 3_600_000;
/** Answers that leave it open whether something was taken, or that nothing was. */
const FAULTS = [429, 500, 'taken-500', 'lost', 'reset'] as const;

let world: QuotaWorld;
let stripe: StripeStandIn;
let scopes: Scopes;
let customerId: string;
let customers = 0;
beforeAll(async () => {
  world = await QuotaWorld.open('embedded');
  // Noon: what is a day later is of a day that is over.
  world.clock.advance(DAY / 2);
  stripe = await StripeStandIn.start(() => world.clock.now());
});
afterAll(async () => {
  await stripe.close();
  await world.close();
});
beforeEach(async () => {
  scopes = await world.scopes();
  customers += 1;
  customerId = `cus_${customers}`;
  stripe.customers.add(customerId);
  stripe.faults.length = 0;
  await world.carcosa.billingSettings.set(SYSTEM, scopes.organizationId, { customerId });
});

const upload = async (path: string, size: number): Promise<void> => {
  const headers = { 'x-api-key': scopes.key };
  const body = Buffer.alloc(size, 'x');
  const answer = await fetch(`${world.node.url}/api/v1/files?path=${path}`, { method: 'POST', headers, body });
  expect(answer.status).toBe(201);
  await world.carcosa.usageMeter.flush();
};

/** One run of the job; false when it gave up for now. */
async function report(settings: { apiKey?: string } = {}): Promise<boolean> {
  const { inTransaction: transaction, clock } = world.carcosa;
  const billing = new StripeMeteredBilling({ apiKey: stripe.apiKey, apiUrl: stripe.url, ...settings });
  try {
    await reportUsage(
      { db: world.database.pool, transaction, clock, billing },
      { signal: new AbortController().signal },
    );
    return true;
  } catch (error) {
    if (!isCarcosaError(error, 'billing_unavailable')) throw error;
    return false;
  }
}

/** What the customer pays for, by meter. */
const billed = (): Record<string, number> => {
  const sums: Record<string, number> = {};
  for (const { eventName, value, customerId: customer } of stripe.events)
    if (customer === customerId) sums[eventName] = (sums[eventName] ?? 0) + value;
  return sums;
};

describe('reporting what was used', () => {
  it('waits until the day is over, and then reports each metric once', async () => {
    await upload('a', 5_000_000);
    expect(await report()).toBe(true);
    expect(billed()).toEqual({});
    world.clock.advance(DAY);
    expect(await report()).toBe(true);
    expect(await report()).toBe(true);
    const first = billed();
    expect(first).toMatchObject({ carcosa_uploads: 1, carcosa_bytes_in: 5_000_000, carcosa_api_calls: 1 });
    expect(first.carcosa_storage_megabyte_hours).toBe(60);
    world.clock.advance(DAY);
    expect(await report()).toBe(true);
    expect((billed().carcosa_storage_megabyte_hours ?? 0) - (first.carcosa_storage_megabyte_hours ?? 0)).toBe(120);
    const { reportedTo, pending, error } = await world.carcosa.billingSettings.get(SYSTEM, scopes.organizationId);
    expect({ reportedTo, pending, error }).toEqual({
      reportedTo: day(world.clock.now() - DAY),
      pending: 0,
      error: null,
    });
  });

  it('reports what came late as one more event', async () => {
    await upload('a', 100);
    const began = world.clock.now();
    world.clock.advance(DAY);
    expect(await report()).toBe(true);
    await world.database.pool.query(
      `insert into usage_ledger (day, project_id, tenant_id, bucket_id, key_id, uploads, bytes_in) values ($1, $2, '', '', '', 2, 30)`,
      [day(began), scopes.projectId],
    );
    expect(await report()).toBe(true);
    expect(billed()).toMatchObject({ carcosa_uploads: 3, carcosa_bytes_in: 130 });
  });

  it('reports nothing of before, and nothing of who is not billed', async () => {
    await world.carcosa.billingSettings.set(SYSTEM, scopes.organizationId, { customerId: null });
    await upload('a', 100);
    world.clock.advance(DAY);
    expect(await report()).toBe(true);
    await world.carcosa.billingSettings.set(SYSTEM, scopes.organizationId, { customerId });
    expect(await report()).toBe(true);
    expect(billed().carcosa_bytes_in).toBeUndefined();
  });

  it('counts each unit once, whatever answers get lost and however often it is tried', async () => {
    const fault = fc.option(fc.constantFrom(...FAULTS), { nil: undefined });
    await fc.assert(
      fc.asyncProperty(fc.array(fault, { maxLength: 25 }), fc.integer({ min: 1, max: 3000 }), async (faults, size) => {
        const before = billed();
        await upload(`file-${stripe.requests}-${size}`, size);
        world.clock.advance(DAY);
        stripe.faults.push(...(faults as (StripeFault | undefined)[]));
        let runs = 0;
        for (; !(await report()); runs++) expect(runs).toBeLessThanOrEqual(faults.length);
        stripe.faults.length = 0;
        const after = billed();
        expect((after.carcosa_bytes_in ?? 0) - (before.carcosa_bytes_in ?? 0)).toBe(size);
        expect((after.carcosa_uploads ?? 0) - (before.carcosa_uploads ?? 0)).toBe(1);
        expect((await world.carcosa.billingSettings.get(SYSTEM, scopes.organizationId)).pending).toBe(0);
      }),
      { numRuns: 12 },
    );
    const identifiers = stripe.events.map(({ identifier }) => identifier);
    expect(new Set(identifiers).size).toBe(identifiers.length);
  });

  it('does not let a customer who is not there hold up others, and goes on when it is corrected', async () => {
    const other = await world.scopes();
    await world.carcosa.billingSettings.set(SYSTEM, other.organizationId, { customerId: 'cus_missing' });
    const headers = { 'x-api-key': other.key };
    await fetch(`${world.node.url}/api/v1/files?path=x`, { method: 'POST', headers, body: 'other' });
    await world.carcosa.usageMeter.flush();
    await upload('a', 100);
    world.clock.advance(DAY);
    expect(await report()).toBe(true);
    expect(billed()).toMatchObject({ carcosa_bytes_in: 100 });
    const seen = await world.carcosa.billingSettings.get(SYSTEM, other.organizationId);
    expect(seen).toMatchObject({ pending: 3, error: "400 resource_missing No such customer: 'cus_missing'" });
    stripe.customers.add('cus_right');
    await world.carcosa.billingSettings.set(SYSTEM, other.organizationId, { customerId: 'cus_right' });
    expect(await report()).toBe(true);
    expect(stripe.events.filter(({ customerId: id }) => id === 'cus_right')).toHaveLength(3);
  });

  it('gives up for now with a wrong key, and says so', async () => {
    await upload('a', 100);
    world.clock.advance(DAY);
    expect(await report({ apiKey: 'sk_test_wrong_wrong' })).toBe(false);
    const { rows } = await world.database.pool.query('select error from billing_reports where error is not null');
    expect(rows).toEqual([{ error: '401 Invalid API Key provided' }]);
    expect(billed()).toEqual({});
    expect(await report()).toBe(true);
    expect(billed()).toMatchObject({ carcosa_bytes_in: 100 });
  });
});

const day = (now: number): string => new Date(now).toISOString().slice(0, 10);
