import {
  CreateOrganizationBody,
  Invitation,
  InvitationPreview,
  InvitationTokenBody,
  InviteBody,
  ListQuery,
  Member,
  Organization,
  page,
  SetRoleBody,
  success,
  TransferBody,
  UpdateOrganizationBody,
} from '@carcosa/contracts';
import { z } from 'zod';
import { success as answer } from '../envelope.ts';
import { originOf } from '../plugins/auth.ts';
import type { Routes } from '../types.ts';

const params = z.object({ id: z.string() });
const memberParams = z.object({ id: z.string(), userId: z.string() });
const tags = ['organizations'];
const config = { login: true } as const;
const creates = { login: true, idempotent: true } as const;
const SentInvitation = Invitation.extend({
  link: z.string().describe('opens the invitation; shown to whoever sends it, who may pass it on by other ways'),
});

export const organizationRoutes: Routes = (app, { organizations, clock }) => {
  app.post(
    '/api/v1/organizations',
    {
      config: creates,
      schema: {
        tags,
        summary: 'Make an organization, which you will own',
        description: 'It begins with one team of the same name.',
        body: CreateOrganizationBody,
        response: { 201: success(Organization) },
      },
    },
    async (request, reply) => {
      reply.code(201);
      return answer(clock, await organizations.create(request.actor, request.body));
    },
  );

  app.get(
    '/api/v1/organizations',
    {
      config,
      schema: {
        tags,
        summary: 'List the organizations that you are a member of',
        querystring: ListQuery,
        response: { 200: success(page(Organization)) },
      },
    },
    async (request) => answer(clock, await organizations.list(request.actor, request.query)),
  );

  app.get(
    '/api/v1/organizations/:id',
    { config, schema: { tags, summary: 'Read an organization', params, response: { 200: success(Organization) } } },
    async (request) => answer(clock, await organizations.get(request.actor, request.params.id)),
  );

  app.patch(
    '/api/v1/organizations/:id',
    {
      config,
      schema: {
        tags,
        summary: 'Rename an organization',
        params,
        body: UpdateOrganizationBody,
        response: { 200: success(Organization) },
      },
    },
    async (request) => answer(clock, await organizations.update(request.actor, request.params.id, request.body)),
  );

  app.delete(
    '/api/v1/organizations/:id',
    {
      config,
      schema: { tags, summary: 'Remove an organization that has no projects', params, response: { 204: z.null() } },
    },
    async (request, reply) => {
      await organizations.remove(request.actor, request.params.id);
      return reply.code(204).send(null);
    },
  );
};

export const memberRoutes: Routes = (app, { organizations, clock }) => {
  app.get(
    '/api/v1/organizations/:id/members',
    {
      config,
      schema: {
        tags,
        summary: 'List the members of an organization',
        params,
        querystring: ListQuery,
        response: { 200: success(page(Member)) },
      },
    },
    async (request) => answer(clock, await organizations.listMembers(request.actor, request.params.id, request.query)),
  );

  app.patch(
    '/api/v1/organizations/:id/members/:userId',
    {
      config,
      schema: {
        tags,
        summary: 'Give a member another role',
        description: 'Only owners make owners, or change them. The last owner stays one: 409 `last_owner`.',
        params: memberParams,
        body: SetRoleBody,
        response: { 200: success(Member) },
      },
    },
    async (request) => {
      const { id, userId } = request.params;
      return answer(clock, await organizations.setRole(request.actor, id, userId, request.body.role));
    },
  );

  app.delete(
    '/api/v1/organizations/:id/members/:userId',
    {
      config,
      schema: {
        tags,
        summary: 'Take a member out, or leave',
        params: memberParams,
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      await organizations.removeMember(request.actor, request.params.id, request.params.userId);
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/api/v1/organizations/:id/transfer',
    {
      config,
      schema: {
        tags,
        summary: 'Make another member the owner in your place',
        description: 'You stay as an admin.',
        params,
        body: TransferBody,
        response: { 200: success(Member) },
      },
    },
    async (request) =>
      answer(clock, await organizations.transfer(request.actor, request.params.id, request.body.userId)),
  );
};

export const invitationRoutes: Routes = (app, { invitations, clock }) => {
  app.post(
    '/api/v1/organizations/:id/invitations',
    {
      config: creates,
      schema: {
        tags,
        summary: 'Invite somebody by e-mail',
        description: 'To the organization, or with `teamId` to one team of it. The link opens for seven days.',
        params,
        body: InviteBody,
        response: { 201: success(SentInvitation) },
      },
    },
    async (request, reply) => {
      reply.code(201);
      return answer(clock, await invitations.invite(request.actor, request.params.id, request.body));
    },
  );

  app.get(
    '/api/v1/organizations/:id/invitations',
    {
      config,
      schema: {
        tags,
        summary: 'List the invitations of an organization',
        params,
        querystring: ListQuery,
        response: { 200: success(page(Invitation)) },
      },
    },
    async (request) => answer(clock, await invitations.list(request.actor, request.params.id, request.query)),
  );

  app.post(
    '/api/v1/invitations/:id/resend',
    {
      config,
      schema: {
        tags,
        summary: 'Send a new link',
        description: 'The link before it opens nothing any more.',
        params,
        response: { 200: success(SentInvitation) },
      },
    },
    async (request) => answer(clock, await invitations.resend(request.actor, request.params.id)),
  );

  app.delete(
    '/api/v1/invitations/:id',
    { config, schema: { tags, summary: 'Withdraw an invitation', params, response: { 204: z.null() } } },
    async (request, reply) => {
      await invitations.revoke(request.actor, request.params.id);
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/api/v1/invitations/preview',
    {
      config: { public: true },
      schema: {
        tags,
        summary: 'See what an invitation is for',
        body: InvitationTokenBody,
        response: { 200: success(InvitationPreview) },
      },
    },
    async (request) => answer(clock, await invitations.preview(request.body.token)),
  );

  app.post(
    '/api/v1/invitations/accept',
    {
      config,
      schema: {
        tags,
        summary: 'Accept an invitation to your address',
        body: InvitationTokenBody,
        response: { 200: success(Invitation) },
      },
    },
    async (request) => answer(clock, await invitations.accept(request.actor, request.body.token)),
  );

  app.post(
    '/api/v1/invitations/decline',
    {
      config: { public: true },
      schema: { tags, summary: 'Decline an invitation', body: InvitationTokenBody, response: { 204: z.null() } },
    },
    async (request, reply) => {
      await invitations.decline({ type: 'anonymous', origin: originOf(request) }, request.body.token);
      return reply.code(204).send(null);
    },
  );
};
