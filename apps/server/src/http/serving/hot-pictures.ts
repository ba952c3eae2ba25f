import type { IncomingMessage, ServerResponse } from 'node:http';
import { clientOf, evaluatePreconditions, type LimitDecision } from '@carcosa/domain';
import type { Carcosa } from '../../compose.ts';
import { commonHeaders, requestIdOf } from '../plugins/request-context.ts';
import { type HotAnswer, HotAnswers } from './hot-answers.ts';

type Parts = Pick<
  Carcosa,
  'projectFacts' | 'serving' | 'transforms' | 'limiter' | 'blocks' | 'usage' | 'ids' | 'httpMeter' | 'requestLog'
> & { config: Pick<Carcosa['config'], 'trustedProxies' | 'redisUrl'> };

/** The patterns of the routes that these answers are of, by how their addresses begin. */
const ROUTES = { '/t/': '/t/:projectId/:steps/*', '/api/v1/transform/': '/api/v1/transform/:projectId/*' } as const;

/** Pictures that are answered again as they were, while nothing that they were decided by has changed. */
export class HotPictures {
  readonly answers = new HotAnswers();
  readonly #parts: Parts;
  readonly #newId: (request: IncomingMessage) => string;
  readonly #isAlone: boolean;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#newId = requestIdOf(parts.ids);
    const { trustedProxies, redisUrl } = parts.config;
    // Who asks is known without the framework, and limits are counted without waiting.
    this.#isAlone = trustedProxies.length === 0 && redisUrl === undefined;
  }

  /** An answer that would be given now as it was before. */
  find(address: string, accept: string | undefined): HotAnswer | undefined {
    const known = this.answers.get(address, accept);
    if (!known || this.#isStill(known)) return known;
    this.answers.forget(address);
    return undefined;
  }

  /**
   * Answers a stranger before anything else looks at the request: reading it once more would be half of the work.
   * @returns false where the usual way is to be gone, with nothing done
   */
  answer(request: IncomingMessage, response: ServerResponse): boolean {
    const { method, url = '', headers } = request;
    if (!this.#isAlone || (method !== 'GET' && method !== 'HEAD')) return false;
    const route = url.startsWith('/t/') ? ROUTES['/t/'] : ROUTES['/api/v1/transform/'];
    if (route !== ROUTES['/t/'] && !url.startsWith('/api/v1/transform/')) return false;
    if (headers.authorization !== undefined || headers['x-api-key'] !== undefined || headers.cookie !== undefined)
      return false;
    const { limiter, blocks, httpMeter, usage, requestLog } = this.#parts;
    const hot = blocks.hasAny ? undefined : this.find(url, headers.accept);
    if (!hot) return false;
    const condition = evaluatePreconditions(headers, hot.validators);
    if (condition === 'failed') return false;
    const ip = request.socket.remoteAddress ?? '';
    const rateLimit = limiter.serverLimit('transform') === null ? null : limiter.takeAddress(clientOf(ip), 'transform');
    if (rateLimit instanceof Promise || rateLimit?.allowed === false) return false;
    httpMeter.assign(response, httpMeter.seriesOf(route));
    const id = this.#newId(request);
    const status = this.send({ id, rateLimit }, response, { hot, isKnown: condition === 'not-modified' });
    if (status === 200) usage.countDownload(hot.found.place, null, hot.bytes.length);
    requestLog?.info({ requestId: id, method, route, status, ms: 0, ip }, 'request');
    return true;
  }

  /** All at once: headers that are set one by one take longer than all else here. @param isKnown whether the client has it already */
  send(
    request: { id: string; rateLimit: LimitDecision | null | undefined },
    response: ServerResponse,
    { hot, isKnown }: { hot: HotAnswer; isKnown: boolean },
  ): 200 | 304 {
    const headers = commonHeaders(request);
    headers.push(...hot.validation);
    if (isKnown) {
      response.writeHead(304, headers).end();
      return 304;
    }
    headers.push(...hot.description);
    response.writeHead(200, headers);
    if (response.req.method === 'HEAD') response.end();
    else {
      this.#parts.transforms.countHit();
      response.end(hot.bytes);
    }
    return 200;
  }

  /** Each is remembered as it was, so that the same would be decided of it. */
  #isStill({ found, purges }: HotAnswer): boolean {
    const { projectFacts, serving, transforms } = this.#parts;
    if (purges !== transforms.purges) return false;
    if (projectFacts.facts(found.facts.id) !== found.facts) return false;
    return found.files.every(({ version, file }) => serving.remembered(file.key, version) === file);
  }
}
