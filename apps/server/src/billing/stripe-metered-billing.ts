import type { MeterAnswer, MeterEvent, MeteredBilling } from '@carcosa/domain';

/** The version of the API whose answers are understood here. */
const API_VERSION = '2024-10-28.acacia';
/** Milliseconds for one request. */
const REQUEST_TIMEOUT_MS = 20_000;
/** Stripe refuses an event whose identifier it has: that it has it is all we want. */
const DUPLICATE = /already exists with identifier/i;

export interface StripeSettings {
  /** A secret or restricted key that may write meter events. */
  apiKey: string;
  /** `https://api.stripe.com`, without a "/" at its end. */
  apiUrl: string;
}

interface StripeError {
  error?: { code?: string; message?: string };
}

/** Reports to the meters of Stripe: POST /v1/billing/meter_events of its API. */
export class StripeMeteredBilling implements MeteredBilling {
  readonly #settings: StripeSettings;

  constructor(settings: StripeSettings) {
    this.#settings = settings;
  }

  async report(event: MeterEvent, { signal }: { signal: AbortSignal }): Promise<MeterAnswer> {
    let response: Response;
    let text: string;
    try {
      response = await this.#post(event, signal);
      text = await response.text();
    } catch (error) {
      signal.throwIfAborted();
      const { message, cause } = error as Error;
      const reason = cause instanceof Error ? cause.message : message;
      return { outcome: 'failed', error: `no answer: ${reason}`, isFault: false };
    }
    const { status } = response;
    if (response.ok) return { outcome: 'taken' };
    const { code, message = '' } = errorOf(text);
    if (status === 400 && (code === 'duplicate_meter_event' || DUPLICATE.test(message))) return { outcome: 'taken' };
    const error = `${status} ${code ?? ''} ${message}`.replace(/\s+/g, ' ').trim();
    // A wrong key concerns all: 401 and 403 are no matter of this one event. 409: another request under the key is under way.
    if (status >= 500) return { outcome: 'failed', error, isFault: true };
    if (status === 401 || status === 403 || status === 409 || status === 429)
      return { outcome: 'failed', error, isFault: false };
    return { outcome: 'refused', error };
  }

  async #post(event: MeterEvent, signal: AbortSignal): Promise<Response> {
    const { apiKey, apiUrl } = this.#settings;
    return await fetch(`${apiUrl}/v1/billing/meter_events`, {
      method: 'POST',
      redirect: 'error',
      signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]),
      headers: {
        Authorization: `Bearer ${apiKey}`,
        'Idempotency-Key': event.idempotencyKey,
        'Stripe-Version': API_VERSION,
      },
      body: new URLSearchParams({
        event_name: event.eventName,
        identifier: event.identifier,
        timestamp: String(event.timestamp),
        'payload[stripe_customer_id]': event.customerId,
        'payload[value]': String(event.value),
      }),
    });
  }
}

function errorOf(text: string): { code?: string; message?: string } {
  try {
    return (JSON.parse(text) as StripeError).error ?? {};
  } catch {
    return { message: text.slice(0, 200) };
  }
}
