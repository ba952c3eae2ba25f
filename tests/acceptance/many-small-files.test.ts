import { afterAll, beforeAll, describe, it } from 'vitest';
import { DOOR_NAMES } from '../support/doors.ts';
import { expectManySmallFiles } from '../support/many-small-files.ts';
import { type Server, startServer } from '../support/server.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

// The soak suite does the same with 10,000.
describe('300 small files of odd names', () => {
  it.each(DOOR_NAMES)('through the door %s are all listed and all identical', (door) =>
    expectManySmallFiles(server, door, 300),
  );
});
