import { readdir, readFile } from 'node:fs/promises';
import { migrate, openDatabase } from '@carcosa/database';
import { silentLogger } from '@carcosa/kernel';
import { describe, expect, it, onTestFinished } from 'vitest';
import { serverDirectory, serverPid } from './servers.ts';

const MEBIBYTE = 1024 * 1024;

describe.runIf(process.platform === 'linux')('the memory of the embedded database', () => {
  it('stays below 150 MiB with 30 connections that work', async () => {
    const directory = await serverDirectory();
    const database = await openDatabase({ directory, poolSize: 30, logger: silentLogger });
    onTestFinished(() => database.close());
    await migrate(database, { logger: silentLogger });
    await database.pool.query(
      'create table busy (id int primary key, word text, content jsonb); create index on busy (word)',
    );
    await database.pool.query(
      `insert into busy select i, 'w' || i, jsonb_build_object('text', repeat('x', 500)) from generate_series(1, 100000) i`,
    );
    const clients = await Promise.all(Array.from({ length: 30 }, () => database.pool.connect()));
    await Promise.all(
      clients.map(async (client, index) => {
        for (let i = 0; i < 50; i++) {
          await client.query({
            name: 'read',
            text: 'select * from busy where word = $1',
            values: [`w${index * 50 + i}`],
          });
          await client.query({
            name: 'write',
            text: 'update busy set content = $2 where id = $1',
            values: [index * 50 + i, { n: i }],
          });
        }
        await client.query('select count(*), max(content::text) from busy');
        await client.query(
          'select f.* from files f join projects p on p.id = f.project_id join objects o on o.project_id = p.id order by f.path limit 50',
        );
      }),
    );
    const used = await proportionalMemory(await serverPid(directory));
    for (const client of clients) client.release();
    process.stdout.write(`embedded database, 30 connections: ${Math.round(used / MEBIBYTE)} MiB\n`);
    expect(used).toBeLessThan(150 * MEBIBYTE);
  });
});

/** Bytes that a process and its children use; what they share is counted once (proc(5), smaps_rollup, Pss). */
async function proportionalMemory(pid: number): Promise<number> {
  let sum = 0;
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const status = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    const parent = Number(status.slice(status.lastIndexOf(')') + 2).split(' ')[1]);
    if (Number(name) !== pid && parent !== pid) continue;
    const rollup = await readFile(`/proc/${name}/smaps_rollup`, 'utf8').catch(() => '');
    sum += Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? 0) * 1024;
  }
  return sum;
}
