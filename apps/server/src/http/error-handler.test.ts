import type { Actor } from '@carcosa/domain';
import { CarcosaError, systemClock } from '@carcosa/kernel';
import fastify from 'fastify';
import { expect, it } from 'vitest';
import { createLogger } from '../boot/log.ts';
import { errorHandler } from './error-handler.ts';

const KEY = { type: 'api-key', id: 'key_1' } as unknown as Actor;

it('a line about a failed request says which request, which route and who asked, and no secret', async () => {
  const lines: string[] = [];
  const logger = createLogger('warn', { write: (line: string) => lines.push(line) });
  const app = fastify({ genReqId: () => 'req_of_the_test' });
  app.setErrorHandler(errorHandler({ clock: systemClock, logger }));
  app.get('/files/:id', (request) => {
    request.actor = KEY;
    throw new CarcosaError('storage_unavailable', { cause: Object.assign(new Error('gone'), { password: 'hunter2' }) });
  });
  const answer = await app.inject({ url: '/files/file_7', headers: { authorization: 'Bearer hunter2' } });
  expect(answer.json()).toMatchObject({ error: 'storage_unavailable', requestId: 'req_of_the_test' });
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] as string)).toMatchObject({
    level: 'warn',
    requestId: 'req_of_the_test',
    method: 'GET',
    route: '/files/:id',
    actor: 'key_1',
  });
  expect(lines[0]).not.toMatch(/hunter2|file_7/);
});
