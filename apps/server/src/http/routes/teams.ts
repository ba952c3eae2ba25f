import {
  CreateTeamBody,
  ListQuery,
  ListTeamsQuery,
  Member,
  page,
  SetRoleBody,
  success,
  Team,
  UpdateTeamBody,
} from '@carcosa/contracts';
import { z } from 'zod';
import { success as answer } from '../envelope.ts';
import type { Routes } from '../types.ts';

const params = z.object({ id: z.string() });
const memberParams = z.object({ id: z.string(), userId: z.string() });
const tags = ['teams'];
const config = { login: true } as const;

export const teamRoutes: Routes = (app, { teams, clock }) => {
  app.post(
    '/api/v1/teams',
    {
      config: { login: true, idempotent: true },
      schema: {
        tags,
        summary: 'Make a team of an organization',
        body: CreateTeamBody,
        response: { 201: success(Team) },
      },
    },
    async (request, reply) => {
      reply.code(201);
      return answer(clock, await teams.create(request.actor, request.body));
    },
  );

  app.get(
    '/api/v1/teams',
    {
      config,
      schema: {
        tags,
        summary: 'List the teams that you are in, and all of the organizations that you run',
        querystring: ListTeamsQuery,
        response: { 200: success(page(Team)) },
      },
    },
    async (request) => answer(clock, await teams.list(request.actor, request.query)),
  );

  app.get(
    '/api/v1/teams/:id',
    { config, schema: { tags, summary: 'Read a team', params, response: { 200: success(Team) } } },
    async (request) => answer(clock, await teams.get(request.actor, request.params.id)),
  );

  app.patch(
    '/api/v1/teams/:id',
    {
      config,
      schema: { tags, summary: 'Rename a team', params, body: UpdateTeamBody, response: { 200: success(Team) } },
    },
    async (request) => answer(clock, await teams.update(request.actor, request.params.id, request.body)),
  );

  app.delete(
    '/api/v1/teams/:id',
    { config, schema: { tags, summary: 'Remove a team that has no projects', params, response: { 204: z.null() } } },
    async (request, reply) => {
      await teams.remove(request.actor, request.params.id);
      return reply.code(204).send(null);
    },
  );

  app.get(
    '/api/v1/teams/:id/members',
    {
      config,
      schema: {
        tags,
        summary: 'List who has a role in a team',
        description: 'Owners and admins of the organization are so in each of its teams, and are not listed for it.',
        params,
        querystring: ListQuery,
        response: { 200: success(page(Member)) },
      },
    },
    async (request) => answer(clock, await teams.listMembers(request.actor, request.params.id, request.query)),
  );

  app.put(
    '/api/v1/teams/:id/members/:userId',
    {
      config,
      schema: {
        tags,
        summary: 'Give a member of the organization a role in a team',
        params: memberParams,
        body: SetRoleBody,
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      await teams.setRole(request.actor, request.params.id, request.params.userId, request.body.role);
      return reply.code(204).send(null);
    },
  );

  app.delete(
    '/api/v1/teams/:id/members/:userId',
    {
      config,
      schema: {
        tags,
        summary: 'Take somebody out of a team, or leave it',
        params: memberParams,
        response: { 204: z.null() },
      },
    },
    async (request, reply) => {
      await teams.removeMember(request.actor, request.params.id, request.params.userId);
      return reply.code(204).send(null);
    },
  );
};
