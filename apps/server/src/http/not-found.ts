import { CarcosaError } from '@carcosa/kernel';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { App } from './types.ts';

interface KnownRoute {
  pattern: RegExp;
  methods: string[];
}

/** Answers addresses that no route has with 404, and those that only have other methods with 405 and `Allow`. */
export function addNotFound(app: App): void {
  const known = new Map<string, KnownRoute>();
  app.addHook('onRoute', ({ url, method }) => {
    const route = known.get(url) ?? { pattern: patternOf(url), methods: [] };
    route.methods.push(...[method].flat());
    known.set(url, route);
  });
  app.setNotFoundHandler((request: FastifyRequest, reply: FastifyReply) => {
    const path = request.raw.url?.split('?', 1)[0] ?? '';
    const methods = [...known.values()].filter((route) => route.pattern.test(path)).flatMap((route) => route.methods);
    if (methods.length === 0 || methods.includes(request.method)) throw new CarcosaError('not_found');
    const allow = [...new Set(methods)].join(', ');
    reply.header('Allow', allow);
    if (request.method === 'OPTIONS') return reply.code(204).send();
    throw new CarcosaError('method_not_allowed', { details: { allow } });
  });
}

/** `/files/:id/*` as an expression for whole paths, with the optional "/" at the end that the router grants too. */
function patternOf(url: string): RegExp {
  const source = url
    .replace(/\/$/, '')
    .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
    .replace(/\*/g, '.*')
    .replace(/:[A-Za-z]+/g, '[^/]+');
  return new RegExp(`^${source}/?$`);
}
