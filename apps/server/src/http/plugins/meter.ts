import type { HttpMeter } from '../../metrics/http-meter.ts';
import type { App } from '../types.ts';

/**
 * Tells the meter which route answers, by the pattern of its address. Preflights, blocked addresses and addresses without a route end before
 * it is known.
 */
export function addMeter(app: App, meter: HttpMeter): void {
  app.addHook('onRoute', (route) => {
    const series = meter.seriesOf(route.url);
    const hooks = route.onRequest === undefined ? [] : [route.onRequest].flat();
    route.onRequest = [
      (_request, reply, done) => {
        meter.assign(reply.raw, series);
        done();
      },
      ...hooks,
    ];
  });
}
