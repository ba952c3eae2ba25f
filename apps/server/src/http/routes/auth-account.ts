import {
  ChangeEmailBody,
  ChangePasswordBody,
  ConfirmEmailBody,
  EmailBody,
  LoggedIn,
  PasswordBody,
  PendingLink,
  page,
  ResetPasswordBody,
  Session,
  success,
  UpdateMeBody,
  User,
  VerifyEmailBody,
} from '@carcosa/contracts';
import { z } from 'zod';
import { BrowserSession } from '../browser-session.ts';
import { success as answer } from '../envelope.ts';
import type { Routes } from '../types.ts';
import { visitorOf } from './auth.ts';

const tags = ['auth'];
const login = { login: true } as const;
const open = { public: true } as const;
const params = z.object({ id: z.string() });
const SENT = 'If there is an account that this concerns, a mail is on its way.';
const Sent = z.object({ message: z.string() });

/** What people do with their own account: profile, password, e-mail address, sessions. */
export const authAccountRoutes: Routes = (app, parts) => {
  const { accounts, emailChanges, accountRemoval, sessions, linkMail, clock, publicUrl } = parts;
  const browser = new BrowserSession(publicUrl);

  app.patch(
    '/api/v1/auth/me',
    {
      config: login,
      schema: { tags, summary: 'Change your name or picture', body: UpdateMeBody, response: { 200: success(User) } },
    },
    async (request) => answer(clock, await accounts.update(request.actor, request.body)),
  );

  app.post(
    '/api/v1/auth/change-password',
    {
      config: login,
      schema: {
        tags,
        summary: 'Change your password',
        description: 'Ends every session of the account. The answer carries the tokens of a new one.',
        body: ChangePasswordBody,
        response: { 200: success(LoggedIn) },
      },
    },
    async (request, reply) => {
      const done = await accounts.changePassword(request.actor, request.body);
      browser.keep(request, reply, done);
      return answer(clock, done);
    },
  );

  app.post(
    '/api/v1/auth/forgot-password',
    {
      config: open,
      schema: {
        tags,
        summary: 'Ask for a link to set a new password',
        description: 'The answer is the same whether there is such an account or not.',
        body: EmailBody,
        response: { 202: success(Sent) },
      },
    },
    async (request, reply) => {
      accounts.forgotPassword(visitorOf(request), request.body.email);
      return reply.code(202).send(answer(clock, { message: SENT }));
    },
  );

  app.post(
    '/api/v1/auth/reset-password',
    {
      config: open,
      schema: {
        tags,
        summary: 'Set a new password with the token of a link',
        description: 'Ends every session of the account. The token serves once, within an hour.',
        body: ResetPasswordBody,
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      await accounts.resetPassword(visitorOf(request), request.body);
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/api/v1/auth/send-verification',
    {
      config: open,
      schema: {
        tags,
        summary: 'Ask for a new link to confirm an e-mail address',
        description: 'The answer is the same whether there is such an account or not.',
        body: EmailBody,
        response: { 202: success(Sent) },
      },
    },
    async (request, reply) => {
      accounts.sendVerification(visitorOf(request), request.body.email);
      return reply.code(202).send(answer(clock, { message: SENT }));
    },
  );

  app.post(
    '/api/v1/auth/verify-email',
    {
      config: open,
      schema: {
        tags,
        summary: 'Confirm an e-mail address with the token of a link',
        body: VerifyEmailBody,
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      await accounts.verifyEmail(visitorOf(request), request.body.token);
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/api/v1/auth/change-email',
    {
      config: login,
      schema: {
        tags,
        summary: 'Ask for a link that gives your account another e-mail address',
        description:
          'The link goes to the new address. The answer is the same whether somebody else has that address or not. Accounts with a password send it along.',
        body: ChangeEmailBody,
        response: { 202: success(Sent) },
      },
    },
    async (request, reply) => {
      await emailChanges.request(request.actor, request.body);
      return reply
        .code(202)
        .send(answer(clock, { message: 'If the address can be used, a mail is on its way there.' }));
    },
  );

  app.post(
    '/api/v1/auth/confirm-email',
    {
      config: open,
      schema: {
        tags,
        summary: 'Give an account the e-mail address that a link was sent to',
        description: 'The token serves once, within an hour. The former address is told.',
        body: ConfirmEmailBody,
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      await emailChanges.confirm(visitorOf(request), request.body.token);
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/api/v1/auth/delete-account',
    {
      config: login,
      schema: {
        tags,
        summary: 'Remove your account',
        description:
          'Ends its sessions, ways to log in and memberships; what it did stays in the audit log. Refused while an organization would be left without an owner. Accounts with a password send it along.',
        body: PasswordBody,
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      await accountRemoval.removeOwn(request.actor, request.body?.password);
      browser.clear(reply);
      return reply.code(204).send(null);
    },
  );

  app.get(
    '/api/v1/auth/sessions',
    { config: login, schema: { tags, summary: 'Where you are logged in', response: { 200: success(page(Session)) } } },
    async (request) => {
      return answer(clock, { items: await sessions.list(request.actor), nextCursor: null, hasMore: false });
    },
  );

  app.delete(
    '/api/v1/auth/sessions/:id',
    { config: login, schema: { tags, summary: 'End one of your sessions', params, response: { 204: z.null() } } },
    async (request, reply) => {
      await sessions.revoke(request.actor, request.params.id);
      return reply.code(204).send(null);
    },
  );

  app.delete(
    '/api/v1/auth/sessions',
    {
      config: login,
      schema: {
        tags,
        summary: 'End all of your sessions but this one',
        response: { 200: success(z.object({ ended: z.number().int() })) },
      },
    },
    async (request) => answer(clock, { ended: await sessions.revokeOthers(request.actor) }),
  );

  app.get(
    '/api/v1/auth/pending-links',
    {
      config: { serverAdmin: true },
      schema: {
        tags,
        summary: 'Links that wait to be handed on, while no mail server is configured',
        response: { 200: success(page(PendingLink)) },
      },
    },
    async (request, reply) => {
      reply.header('Cache-Control', 'no-store');
      return answer(clock, { items: linkMail.pending(request.actor), nextCursor: null, hasMore: false });
    },
  );
};
