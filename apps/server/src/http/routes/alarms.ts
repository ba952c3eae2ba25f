import {
  Alarm,
  AlarmTest,
  CreateAlarmBody,
  ListAlarmsQuery,
  page,
  SavedAlarm,
  success,
  UpdateAlarmBody,
} from '@carcosa/contracts';
import { z } from 'zod';
import { success as answer } from '../envelope.ts';
import type { Routes } from '../types.ts';

const tags = ['alarms'];
const params = z.object({ id: z.string() });
// Those who look after a server that is in trouble ask more than 20 times an hour.
const config = { permission: 'admin', limit: 'standard' } as const;

/** Alarms of the server and of organizations: the service decides who may have which. */
export const alarmRoutes: Routes = (app, { alarms, clock }) => {
  app.post(
    '/api/v1/alarms',
    {
      // Not idempotent by key: the answer holds a secret, which is kept nowhere in clear.
      config,
      schema: {
        tags,
        summary: 'Make an alarm of the server, or of an organization',
        description: 'The secret of requests to webhookUrl is shown in this answer alone.',
        body: CreateAlarmBody,
        response: { 201: success(SavedAlarm) },
      },
    },
    async (request, reply) => {
      reply.code(201).header('Cache-Control', 'no-store');
      return answer(clock, await alarms.create(request.actor, request.body));
    },
  );

  app.get(
    '/api/v1/alarms',
    {
      config,
      schema: {
        tags,
        summary: 'List alarms with what they found to be bad',
        querystring: ListAlarmsQuery,
        response: { 200: success(page(Alarm)) },
      },
    },
    async (request) => answer(clock, await alarms.list(request.actor, request.query)),
  );

  app.get(
    '/api/v1/alarms/:id',
    { config, schema: { tags, summary: 'Read an alarm', params, response: { 200: success(Alarm) } } },
    async (request) => answer(clock, await alarms.get(request.actor, request.params.id)),
  );

  app.patch(
    '/api/v1/alarms/:id',
    {
      config,
      schema: {
        tags,
        summary: 'Change an alarm, or switch it on or off',
        description: 'Another webhookUrl gets another secret, which is shown in this answer alone.',
        params,
        body: UpdateAlarmBody,
        response: { 200: success(SavedAlarm) },
      },
    },
    async (request, reply) => {
      reply.header('Cache-Control', 'no-store');
      return answer(clock, await alarms.update(request.actor, request.params.id, request.body));
    },
  );

  app.delete(
    '/api/v1/alarms/:id',
    { config, schema: { tags, summary: 'Remove an alarm', params, response: { 204: z.null() } } },
    async (request, reply) => {
      await alarms.remove(request.actor, request.params.id);
      return reply.code(204).send(null);
    },
  );

  app.post(
    '/api/v1/alarms/:id/test',
    {
      config: { ...config, limit: 'expensive' },
      schema: {
        tags,
        summary: 'Send a test to all that an alarm would tell, and see what becomes of it',
        params,
        response: { 200: success(AlarmTest) },
      },
    },
    async (request) => answer(clock, await alarms.test(request.actor, request.params.id)),
  );
};
