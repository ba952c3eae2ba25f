import type { Queryable } from '../queryable.ts';

/** Prices that were set, from a month on. */
export interface PriceRow {
  /** "": of the server. */
  organizationId: string;
  /** As 2026-11. */
  month: string;
  /** Null: as before. */
  currency: string | null;
  prices: Record<string, unknown>;
}

/** All that was ever set for the server and the organization, the oldest first. */
export async function listPrices(db: Queryable, organizationId: string): Promise<PriceRow[]> {
  const { rows } = await db.query<PriceRow>(
    `select organization_id as "organizationId", month, currency, prices from usage_prices
     where organization_id in ('', $1) order by month`,
    [organizationId],
  );
  return rows;
}

/** Sets the prices from a month on; `now` in milliseconds since the epoch. */
export async function putPrices(tx: Queryable, row: PriceRow, now: number): Promise<void> {
  await tx.query(
    `insert into usage_prices (organization_id, month, currency, prices, updated_at) values ($1, $2, $3, $4, to_timestamp($5::float8 / 1000))
     on conflict (organization_id, month) do update set currency = excluded.currency, prices = excluded.prices, updated_at = excluded.updated_at`,
    [row.organizationId, row.month, row.currency, JSON.stringify(row.prices), now],
  );
}
