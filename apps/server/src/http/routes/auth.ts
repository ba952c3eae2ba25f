import {
  CheckMail,
  LoggedIn,
  LoginBody,
  Me,
  RefreshBody,
  RegisterBody,
  SecondStep,
  SecondStepBody,
  success,
} from '@carcosa/contracts';
import type { AnonymousActor } from '@carcosa/domain';
import { CarcosaError } from '@carcosa/kernel';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { BrowserSession } from '../browser-session.ts';
import { identify } from '../credentials.ts';
import { success as answer } from '../envelope.ts';
import { originOf } from '../plugins/auth.ts';
import type { Routes } from '../types.ts';

const tags = ['auth'];
const config = { public: true } as const;

/** How people come in and go. */
export const authRoutes: Routes = (app, { people, sessions, apiKeys, clock, publicUrl }) => {
  const browser = new BrowserSession(publicUrl);

  app.post(
    '/api/v1/auth/register',
    {
      config: { ...config, limit: 'registration' },
      schema: {
        tags,
        summary: 'Make an account',
        description: 'Logs in at once; or, where e-mail addresses must be verified, sends a mail and answers 202.',
        body: RegisterBody,
        response: { 201: success(LoggedIn), 202: success(CheckMail) },
      },
    },
    async (request, reply) => {
      const done = await people.register(visitorOf(request), request.body);
      if ('verificationRequired' in done) return reply.code(202).send(answer(clock, done));
      browser.keep(request, reply, done);
      return reply.code(201).send(answer(clock, done));
    },
  );

  app.post(
    '/api/v1/auth/login',
    {
      config: { ...config, limit: 'login' },
      schema: {
        tags,
        summary: 'Log in with e-mail address and password',
        description: 'Where a second factor is set up, the answer asks for it instead of carrying tokens.',
        body: LoginBody,
        response: { 200: success(z.union([LoggedIn, SecondStep])) },
      },
    },
    async (request, reply) => {
      const done = await people.logIn(visitorOf(request), request.body);
      if (!('twoFactorRequired' in done)) browser.keep(request, reply, done);
      return reply.send(answer(clock, done));
    },
  );

  app.post(
    '/api/v1/auth/login/two-factor',
    {
      config,
      schema: {
        tags,
        summary: 'Log in: the second step',
        body: SecondStepBody,
        response: { 200: success(LoggedIn) },
      },
    },
    async (request, reply) => {
      const done = await people.secondStep(visitorOf(request), request.body);
      browser.keep(request, reply, done);
      return reply.send(answer(clock, done));
    },
  );

  app.post(
    '/api/v1/auth/refresh',
    {
      config,
      schema: {
        tags,
        summary: 'Exchange a refresh token for new tokens',
        description: 'Each serves once. One that comes again ends its session. A browser may leave it to its cookie.',
        body: RefreshBody,
        response: { 200: success(LoggedIn) },
      },
    },
    async (request, reply) => {
      const refreshToken = refreshTokenOf(request, request.body?.refreshToken);
      const done = await sessions.refresh(visitorOf(request), refreshToken);
      browser.keep(request, reply, done);
      return reply.send(answer(clock, done));
    },
  );

  app.post(
    '/api/v1/auth/logout',
    {
      config,
      schema: {
        tags,
        summary: 'End this session',
        description:
          'The session is that of the access token; where there is none in force, that of the refresh token.',
        body: RefreshBody,
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      const ended = await endSession(request, request.body?.refreshToken);
      browser.clear(reply);
      if (!ended) throw new CarcosaError('unauthenticated');
      return reply.code(204).send(null);
    },
  );

  app.get(
    '/api/v1/auth/me',
    { config: { login: true }, schema: { tags, summary: 'Who is asking', response: { 200: success(Me) } } },
    async (request) => answer(clock, await sessions.me(request.actor)),
  );

  /** @throws CarcosaError `unauthenticated` when there is none, `cross_site_request` for a cookie that another site's page sends */
  function refreshTokenOf(request: FastifyRequest, given: string | undefined): string {
    if (given !== undefined) return given;
    const kept = browser.refreshToken(request);
    if (kept === undefined) throw new CarcosaError('unauthenticated');
    browser.assertOurs(request);
    return kept;
  }

  async function endSession(request: FastifyRequest, given: string | undefined): Promise<boolean> {
    try {
      await sessions.logOut({
        ...(await identify({ apiKeys, sessions, browser }, request)),
        origin: originOf(request),
      });
      return true;
    } catch (error) {
      const refreshToken = given ?? browser.refreshToken(request);
      if (refreshToken === undefined || !(error instanceof CarcosaError) || error.code !== 'unauthenticated')
        throw error;
      return await sessions.endByRefreshToken(visitorOf(request), refreshTokenOf(request, given));
    }
  }
};

/** Somebody who is not known yet. */
export function visitorOf(request: FastifyRequest): AnonymousActor {
  return { type: 'anonymous', origin: originOf(request) };
}
