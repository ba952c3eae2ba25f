import { LoginProviderView, page, ReturnTo, success } from '@carcosa/contracts';
import { STATE_SECONDS } from '@carcosa/domain';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { BrowserSession } from '../browser-session.ts';
import { success as answer } from '../envelope.ts';
import type { Routes } from '../types.ts';
import { visitorOf } from './auth.ts';

const tags = ['auth'];
const config = { public: true } as const;
const params = z.object({ id: z.string() });
/** What OAuth 2 (RFC 6749, 4.1.2; RFC 9207) lets a provider send with the browser, each once. */
const CallbackQuery = z.looseObject({
  code: z.string().max(4096).optional(),
  state: z.string().max(4096).optional(),
  error: z.string().max(1000).optional(),
  error_description: z.string().max(4096).optional(),
  iss: z.string().max(2048).optional(),
});

/** Logging in with an account elsewhere: the browser is sent there and comes back. */
export const authProviderRoutes: Routes = (app, { providerLogins, clock, publicUrl }) => {
  const browser = new BrowserSession(publicUrl);
  const startQuery = z.object({ returnTo: ReturnTo.default('/') });

  app.get(
    '/api/v1/auth/providers',
    {
      config,
      schema: {
        tags,
        summary: 'Places elsewhere where one can log in',
        response: { 200: success(page(LoginProviderView)) },
      },
    },
    async () => answer(clock, { items: providerLogins.list(), nextCursor: null, hasMore: false }),
  );

  app.get(
    '/api/v1/auth/providers/:id/start',
    {
      config,
      schema: {
        tags,
        summary: 'Go to a provider to log in',
        params,
        querystring: startQuery,
        response: { 302: z.null() },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const { url, state } = await providerLogins.start(visitorOf(request), id, request.query.returnTo);
      browser.keepLoginState(reply, state, STATE_SECONDS);
      return redirect(reply, url);
    },
  );

  // Where the library tells providers to send the browser back to.
  app.get(
    '/api/v1/auth/callback/:id',
    {
      config,
      schema: {
        tags,
        summary: 'Come back from a provider',
        params,
        querystring: CallbackQuery,
        response: { 302: z.null() },
      },
    },
    async (request, reply) => {
      const { code, state, error, error_description: description, iss } = request.query;
      const query = given({ code, state, error, error_description: description, iss });
      const { id } = request.params;
      const done = await providerLogins.finish(visitorOf(request), id, query, browser.loginState(request));
      browser.keepLoginState(reply, '', 0);
      if ('error' in done) return redirect(reply, `${publicUrl}/auth/error#reason=${encodeURIComponent(done.error)}`);
      // The state in the cookie has shown that this browser is the one that began.
      browser.keepAfterLogin(reply, done.loggedIn);
      return redirect(reply, new URL(done.returnTo, publicUrl).href);
    },
  );
};

function given(query: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

function redirect(reply: FastifyReply, url: string): FastifyReply {
  return reply.header('Cache-Control', 'no-store').redirect(url, 302);
}
