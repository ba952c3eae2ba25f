import { afterAll, beforeAll, describe, it } from 'vitest';
import { DOOR_NAMES } from '../support/doors.ts';
import { expectManySmallFiles } from '../support/many-small-files.ts';
import { type Server, startServer } from '../support/server.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

describe('10,000 small files of odd names', () => {
  it.each(DOOR_NAMES)('through the door %s are all listed and all identical', (door) =>
    expectManySmallFiles(server, door, 10_000),
  );
});
