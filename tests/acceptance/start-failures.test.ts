import { mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { within } from '../support/clock.ts';
import { stopOrphanedDatabases } from '../support/embedded-database.ts';
import { freePort } from '../support/postgres.ts';
import { spawnServer } from '../support/process.ts';
import { makeHome } from '../support/server.ts';

let home: string;
let count = 0;
beforeAll(async () => {
  home = await makeHome();
});
afterAll(async () => {
  await rm(home, { recursive: true, force: true });
});

/** Starts a server that can't come up, and gives what a person sees of it. */
async function failure(env: Record<string, string>): Promise<{ code: number | null; output: string; said: string[] }> {
  count += 1;
  const dataDir = env.CARCOSA_DATA_DIR ?? path.join(home, `data-${count}`);
  const child = spawnServer({ HOST: '127.0.0.1', PORT: '0', CARCOSA_DATA_DIR: dataDir, ...env });
  try {
    const { code } = await within(40_000, 'the end of the server', child.exited);
    // Progress may be shown; the complaint is what standard error has.
    const said = child.stderr.split('\n').filter((line) => line.trim() !== '');
    return { code, output: child.logs, said };
  } finally {
    child.signal('SIGKILL');
    await child.exited;
    await stopOrphanedDatabases(dataDir);
  }
}

/** One line that names what is wrong, exit code 1, no stack. */
function expectOneLine(
  { code, output, said }: Awaited<ReturnType<typeof failure>>,
  ...mentions: (string | RegExp)[]
): void {
  expect(output, 'no stack trace for a known cause').not.toMatch(/^\s+at /m);
  expect(output).not.toContain('Carcosa is ready');
  expect(said, output).toHaveLength(1);
  for (const mention of mentions) expect(said[0]).toMatch(mention);
  expect(code).toBe(1);
}

describe('a known cause is one line, with exit code 1', () => {
  it('the port is taken', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const port = String((other.address() as { port: number }).port);
    try {
      expectOneLine(await failure({ PORT: port }), port, /PORT/);
    } finally {
      other.close();
    }
  });

  it('the data directory can not be made', async () => {
    const file = path.join(home, 'a-file');
    await writeFile(file, 'not a folder');
    expectOneLine(
      await failure({ CARCOSA_DATA_DIR: path.join(file, 'data') }),
      /a-file/,
      /CARCOSA_DATA_DIR|writ|director/i,
    );
  });

  it('the data directory is a file', async () => {
    const file = path.join(home, 'another-file');
    await writeFile(file, 'not a folder');
    expectOneLine(await failure({ CARCOSA_DATA_DIR: file }), /another-file/);
  });

  it('the data directory is not writable', async () => {
    // /sys refuses even root; everybody else is refused by a folder without the permission.
    const isRoot = process.getuid?.() === 0;
    const folder = path.join(home, 'read-only');
    await mkdir(folder, { mode: 0o555 });
    expectOneLine(
      await failure({ CARCOSA_DATA_DIR: isRoot ? '/sys/carcosa-test' : folder }),
      /CARCOSA_DATA_DIR|writ|permi/i,
    );
  });

  it('the database does not answer', async () => {
    const port = await freePort();
    const result = await failure({ DATABASE_URL: `postgres://carcosa:s3cret-word@127.0.0.1:${port}/carcosa` });
    expectOneLine(result, /DATABASE_URL|database/i, String(port));
    expect(result.output, 'the password is not printed').not.toContain('s3cret-word');
  });

  it('production with a shared database and no root secret', async () => {
    const port = await freePort();
    const env = { NODE_ENV: 'production', DATABASE_URL: `postgres://carcosa@127.0.0.1:${port}/carcosa` };
    expectOneLine(await failure(env), /CARCOSA_SECRET/);
  });

  for (const [name, value] of [
    ['PORT', 'eighty'],
    ['PORT', '65536'],
    ['PORT', '-1'],
    ['DATABASE_URL', 'mysql://127.0.0.1/x'],
    ['DATABASE_URL', 'not a url'],
    ['CARCOSA_SECRET', 'short'],
    ['CARCOSA_PUBLIC_URL', 'not a url'],
    ['CARCOSA_PUBLIC_URL', 'ftp://127.0.0.1'],
    ['CARCOSA_TRUSTED_PROXIES', 'everybody'],
  ] as const) {
    it(`${name}=${value} is named`, async () => {
      const result = await failure({ [name]: value });
      expectOneLine(result, name);
      if (name === 'CARCOSA_SECRET') expect(result.output, 'the secret is not printed').not.toContain(value);
    });
  }

  it('a second server on the same data directory', async () => {
    const dataDir = path.join(home, 'shared');
    const first = spawnServer({ HOST: '127.0.0.1', PORT: '0', CARCOSA_DATA_DIR: dataDir });
    try {
      await first.ready(60_000);
      const second = spawnServer({ HOST: '127.0.0.1', PORT: '0', CARCOSA_DATA_DIR: dataDir });
      const { code } = await within(40_000, 'the end of the second server', second.exited);
      expect(second.logs).not.toMatch(/^\s+at /m);
      expect(code).toBe(1);
      expect(first.running, 'the first one lives on').toBe(true);
    } finally {
      first.signal('SIGTERM');
      await first.exited;
      await stopOrphanedDatabases(dataDir);
    }
  });
});
