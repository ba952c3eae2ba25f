import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/clock.ts';
import { CRASH_DOORS, type CrashDoor, expectNothingLost, newEntry, upload } from '../support/crash-ledger.ts';
import { threePartSize } from '../support/direct.ts';
import { type Postgres, postgresBinaries, startPostgres } from '../support/postgres.ts';
import { type Server, startServer } from '../support/server.ts';

const missing = [
  ...(spawnSync('strace', ['-V']).status === 0 ? [] : ['strace']),
  ...(postgresBinaries() ? [] : ['postgresql']),
];
if (missing.length > 0) console.warn(`kill at each step: skipped, since ${missing.join(' and ')} is not installed`);

/** The calls by which bytes and names get to the disk. */
const CALLS = (process.env.CARCOSA_TEST_KILL_CALLS ?? 'fdatasync,fsync,rename').split(',');
const DEEPEST = Number(process.env.CARCOSA_TEST_KILL_DEPTH ?? 1);

let postgres: Postgres;
let server: Server;
let multipartSize: number;

/** Lets the kernel kill the server at the `when`-th `call` of one of its threads. */
async function trap(call: string, when: number): Promise<ChildProcess> {
  const inject = `inject=${call}:signal=KILL:when=${when}`;
  const tracer = spawn(
    'strace',
    ['-f', '-p', String(server.pid), '-e', `trace=${call}`, '-e', inject, '-o', '/dev/null'],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  let said = '';
  tracer.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await until(() => said.includes('attached'), { what: `strace to attach (${said})` });
  return tracer;
}

describe.skipIf(missing.length > 0)('kill -9 at each step of an upload', () => {
  beforeAll(async () => {
    // A database of its own: strace would follow into the embedded one and kill that.
    postgres = await startPostgres();
    server = await startServer({ env: { DATABASE_URL: postgres.url } });
    multipartSize = await threePartSize(server);
  });
  afterAll(async () => {
    await server?.stop();
    await postgres?.remove();
  });

  const cases = CRASH_DOORS.flatMap((door) =>
    CALLS.flatMap((call) =>
      Array.from({ length: DEEPEST }, (_, index): [CrashDoor, string, number] => [door, call, index + 1]),
    ),
  );
  it.each(cases)('%s, %s number %i: acknowledged is identical later, the rest can go on', async (door, call, when) => {
    const folder = `${door}-${call}-${when}`;
    const entries = [1, 2, 3].map((index) =>
      newEntry(door, `${folder}/${index}`, door === 'parts' ? multipartSize : 70_000 * index),
    );
    const tracer = await trap(call, when);
    const outcome = await Promise.allSettled(entries.map((entry) => upload(server, entry)));
    const failed = outcome.find((result) => result.status === 'rejected');
    // Nothing but the kill may have made an upload fail; with fewer calls than that nothing was killed.
    if (failed)
      await until(() => !server.running, { what: `the end of the server, since an upload failed (${failed.reason})` });
    tracer.kill('SIGTERM');
    await server.restart({ signal: 'SIGKILL' });
    await expectNothingLost(server, entries, folder);
    expect(server.running).toBe(true);
  });
});
