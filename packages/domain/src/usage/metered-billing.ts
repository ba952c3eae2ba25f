/** What somebody used, as a provider of payments is told. */
export interface MeterEvent {
  /** Always the same for the same usage, by which the provider knows one that comes again. At most 100 characters. */
  readonly identifier: string;
  /** The same for each repetition of one request; another one after a fault of the provider, which would give its old answer again. */
  readonly idempotencyKey: string;
  /** Name of the meter's events. */
  readonly eventName: string;
  readonly customerId: string;
  /** Whole units. */
  readonly value: number;
  /** Seconds since the epoch. */
  readonly timestamp: number;
}

/** What became of an event. */
export type MeterAnswer =
  | { readonly outcome: 'taken' }
  /** Sent again it would be refused again, until somebody changes something there or here. */
  | { readonly outcome: 'refused'; readonly error: string }
  /** Nobody knows whether it was taken; `isFault`: the provider said that it has a fault. */
  | { readonly outcome: 'failed'; readonly error: string; readonly isFault: boolean };

/** A provider of payments that bills by what was used. */
export interface MeteredBilling {
  /** Reports one event. Never rejects for what the provider does. */
  report(event: MeterEvent, options: { signal: AbortSignal }): Promise<MeterAnswer>;
}
