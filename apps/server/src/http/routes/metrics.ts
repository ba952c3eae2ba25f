import { CarcosaError } from '@carcosa/kernel';
import { EXPOSITION_TYPE } from '../../metrics/exposition.ts';
import { mayReadMetrics } from '../../metrics/metrics-access.ts';
import type { Routes } from '../types.ts';

/** What a Prometheus server reads: see docs/operations.md. */
export const metricsRoutes: Routes = (app, { config, metrics }) => {
  app.get('/metrics', { config: { public: true, limit: false }, schema: { hide: true } }, async (request, reply) => {
    const { authorization, host } = request.raw.headers;
    const address = request.raw.socket.remoteAddress;
    const isForwarded = FORWARDING_HEADERS.some((name) => request.raw.headers[name] !== undefined);
    const refusal = mayReadMetrics(config, { authorization, host, address, isForwarded });
    if (refusal !== null) throw new CarcosaError(refusal.code, { message: refusal.message });
    return reply
      .type(EXPOSITION_TYPE)
      .header('Cache-Control', 'no-store')
      .send(await metrics.scrape());
  });
};

/** Whoever sends one of them asks for somebody else. */
const FORWARDING_HEADERS = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'via'];
