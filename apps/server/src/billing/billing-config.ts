import { type Environment, readConfig } from '@carcosa/kernel';
import { z } from 'zod';
import type { StripeSettings } from './stripe-metered-billing.ts';

const BILLING_SHAPE = {
  CARCOSA_STRIPE_API_KEY: z
    .string()
    .regex(/^[A-Za-z0-9_]{16,}$/)
    .optional()
    .describe('a secret or restricted key of Stripe that may write meter events, such as rk_live_…'),
  CARCOSA_STRIPE_API_URL: z
    .url({ protocol: /^https?$/ })
    .transform((text) => text.replace(/\/+$/, ''))
    .default('https://api.stripe.com')
    .describe('an http or https address'),
};

/** The provider of payments that what is used is reported to; undefined: none. */
export function readStripe(environment: Environment): StripeSettings | undefined {
  const { CARCOSA_STRIPE_API_KEY: apiKey, CARCOSA_STRIPE_API_URL: apiUrl } = readConfig(BILLING_SHAPE, environment);
  return apiKey === undefined ? undefined : { apiKey, apiUrl };
}
