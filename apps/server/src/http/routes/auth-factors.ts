import {
  CodeBody,
  LoggedIn,
  Passkey,
  PasskeyCeremony,
  PasskeyLoginBody,
  PasskeyRegistrationBody,
  PasswordBody,
  page,
  RecoveryCodes,
  RenamePasskeyBody,
  success,
  TwoFactorSetup,
} from '@carcosa/contracts';
import { z } from 'zod';
import { BrowserSession } from '../browser-session.ts';
import { success as answer } from '../envelope.ts';
import type { App, Routes } from '../types.ts';
import { visitorOf } from './auth.ts';

const tags = ['auth'];
const login = { login: true } as const;
const open = { public: true } as const;
const params = z.object({ id: z.string() });

/** What stands beside a password, or instead of it. */
export const authFactorRoutes: Routes = (app, carcosa) => {
  twoFactorRoutes(app, carcosa);
  passkeyRoutes(app, carcosa);
  passkeyLoginRoutes(app, carcosa);
};

const twoFactorRoutes: Routes = (app, { twoFactor, clock, publicUrl }) => {
  const browser = new BrowserSession(publicUrl);
  const route = <Body extends z.ZodType, Answer extends z.ZodType>(summary: string, body: Body, data: Answer) => ({
    config: login,
    schema: { tags, summary, body, response: { 200: success(data) } },
  });

  app.post(
    '/api/v1/auth/two-factor/enable',
    route('Begin to set up a second factor', PasswordBody, TwoFactorSetup),
    async (request, reply) => {
      reply.header('Cache-Control', 'no-store');
      return answer(clock, await twoFactor.setUp(request.actor, request.body?.password));
    },
  );

  app.post(
    '/api/v1/auth/two-factor/confirm',
    route('Confirm the second factor with a first code: from then on it is asked for', CodeBody, LoggedIn),
    async (request, reply) => {
      const done = await twoFactor.confirm(request.actor, request.body.code);
      browser.keep(request, reply, done);
      return answer(clock, done);
    },
  );

  app.post(
    '/api/v1/auth/two-factor/disable',
    route('Give the second factor up', PasswordBody, LoggedIn),
    async (request, reply) => {
      const done = await twoFactor.disable(request.actor, request.body?.password);
      browser.keep(request, reply, done);
      return answer(clock, done);
    },
  );

  app.post(
    '/api/v1/auth/two-factor/recovery-codes',
    route('Make new recovery codes; the old ones end', PasswordBody, RecoveryCodes),
    async (request, reply) => {
      reply.header('Cache-Control', 'no-store');
      return answer(clock, await twoFactor.newRecoveryCodes(request.actor, request.body?.password));
    },
  );
};

const passkeyRoutes: Routes = (app: App, { passkeys, clock }) => {
  app.get(
    '/api/v1/auth/passkeys',
    { config: login, schema: { tags, summary: 'Your passkeys', response: { 200: success(page(Passkey)) } } },
    async (request) => {
      return answer(clock, { items: await passkeys.list(request.actor), nextCursor: null, hasMore: false });
    },
  );

  app.post(
    '/api/v1/auth/passkeys/register/options',
    {
      config: login,
      schema: { tags, summary: 'Begin to add a passkey', response: { 200: success(PasskeyCeremony) } },
    },
    async (request) => answer(clock, await passkeys.beginRegistration(request.actor)),
  );

  app.post(
    '/api/v1/auth/passkeys/register/verify',
    {
      config: login,
      schema: { tags, summary: 'Add a passkey', body: PasskeyRegistrationBody, response: { 201: success(Passkey) } },
    },
    async (request, reply) => {
      return reply.code(201).send(answer(clock, await passkeys.finishRegistration(request.actor, request.body)));
    },
  );

  app.patch(
    '/api/v1/auth/passkeys/:id',
    {
      config: login,
      schema: {
        tags,
        summary: 'Rename a passkey',
        params,
        body: RenamePasskeyBody,
        response: { 200: success(Passkey) },
      },
    },
    async (request) => {
      return answer(clock, await passkeys.rename(request.actor, request.params.id, request.body.name));
    },
  );

  app.delete(
    '/api/v1/auth/passkeys/:id',
    { config: login, schema: { tags, summary: 'Remove a passkey', params, response: { 204: z.null() } } },
    async (request, reply) => {
      await passkeys.remove(request.actor, request.params.id);
      return reply.code(204).send(null);
    },
  );
};

const passkeyLoginRoutes: Routes = (app, { passkeys, clock, publicUrl }) => {
  const browser = new BrowserSession(publicUrl);

  app.post(
    '/api/v1/auth/passkeys/login/options',
    {
      config: open,
      schema: { tags, summary: 'Begin to log in with a passkey', response: { 200: success(PasskeyCeremony) } },
    },
    async (request) => answer(clock, await passkeys.beginLogin(visitorOf(request))),
  );

  app.post(
    '/api/v1/auth/passkeys/login/verify',
    {
      config: open,
      schema: { tags, summary: 'Log in with a passkey', body: PasskeyLoginBody, response: { 200: success(LoggedIn) } },
    },
    async (request, reply) => {
      const done = await passkeys.finishLogin(visitorOf(request), request.body);
      browser.keep(request, reply, done);
      return answer(clock, done);
    },
  );
};
