import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type ErrorCode, Histogram } from '@carcosa/kernel';

/** Upper bounds, in seconds: a small answer takes less than the first, an upload may take hours. */
const BOUNDS = [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600];
/** Others are counted together: clients choose them. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
export const NO_ROUTE = '(none)';

/** What was counted of one method of one route. */
export interface RouteCounts {
  /** By class of status, `2xx` at 2; at 0 those whose client left before the end. */
  readonly byStatus: number[];
  /** Seconds. */
  readonly duration: Histogram;
}

export type RouteSeries = Map<string, RouteCounts>;

const ROUTE = Symbol('route');
const BEGUN = Symbol('begun');
type MeteredResponse = ServerResponse & { [ROUTE]?: RouteSeries; [BEGUN]?: number };

/** Counts requests in plain numbers. The labels are patterns of routes, never addresses, so that there are as many as there are routes. */
export class HttpMeter {
  inFlight = 0;
  readonly errors = new Map<ErrorCode, number>();
  readonly routes = new Map<string, RouteSeries>();
  readonly #noRoute = this.seriesOf(NO_ROUTE);
  readonly #sockets = new Set<Socket>();
  /** Bytes of connections that have closed. */
  readonly #closed = { received: 0, sent: 0 };

  seriesOf(route: string): RouteSeries {
    const known = this.routes.get(route);
    if (known) return known;
    const series: RouteSeries = new Map();
    this.routes.set(route, series);
    return series;
  }

  /** A request has come; it is counted when its answer has ended. */
  begin(response: ServerResponse): void {
    this.inFlight += 1;
    (response as MeteredResponse)[BEGUN] = performance.now();
    response.on('close', this.#ended);
    const { socket } = response.req;
    if (this.#sockets.has(socket)) return;
    this.#sockets.add(socket);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#closed.received += socket.bytesRead;
      this.#closed.sent += socket.bytesWritten;
    });
  }

  /** Connections on which a request has come, and the bytes of all that ever were. The system counts them: requests do not pay for it. */
  traffic(): { connections: number; received: number; sent: number } {
    const total = { connections: this.#sockets.size, ...this.#closed };
    for (const { bytesRead, bytesWritten } of this.#sockets) {
      total.received += bytesRead;
      total.sent += bytesWritten;
    }
    return total;
  }

  /** Says which route answers. */
  assign(response: ServerResponse, series: RouteSeries): void {
    (response as MeteredResponse)[ROUTE] = series;
  }

  noteError(code: ErrorCode): void {
    this.errors.set(code, (this.errors.get(code) ?? 0) + 1);
  }

  // One function for all answers, so that none makes one of its own.
  readonly #ended = ((meter: HttpMeter) =>
    function ended(this: ServerResponse): void {
      meter.#count(this as MeteredResponse);
    })(this);

  #count(response: MeteredResponse): void {
    this.inFlight -= 1;
    const method = METHODS.has(response.req.method ?? '') ? (response.req.method as string) : 'other';
    const series = response[ROUTE] ?? this.#noRoute;
    let counts = series.get(method);
    if (!counts) {
      counts = { byStatus: [0, 0, 0, 0, 0, 0], duration: new Histogram(BOUNDS) };
      series.set(method, counts);
    }
    const status = response.writableFinished ? Math.floor(response.statusCode / 100) : 0;
    counts.byStatus[status] = (counts.byStatus[status] ?? 0) + 1;
    counts.duration.observe((performance.now() - (response[BEGUN] ?? 0)) / 1000);
  }
}
