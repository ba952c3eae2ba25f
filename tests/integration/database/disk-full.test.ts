import { execFile } from 'node:child_process';
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openDatabase, toDatabaseError } from '@carcosa/database';
import { silentLogger } from '@carcosa/kernel';
import { expect, it, onTestFinished } from 'vitest';
import { queryOnce, serverDirectory, startServer } from './servers.ts';

const run = promisify(execFile);
const isRoot = process.getuid?.() === 0;

it.runIf(isRoot && process.platform === 'linux')(
  'a full disk refuses what it cannot hold, keeps the rest, and is used again',
  async (context) => {
    const directory = await serverDirectory();
    const disk = join(directory, 'small-disk');
    await mkdir(disk, { recursive: true });
    const canMount = await run('mount', ['-t', 'tmpfs', '-o', 'size=8m,mode=0777', 'none', disk]).then(
      () => true,
      () => false,
    );
    if (!canMount) context.skip('no file system may be mounted here');
    onTestFinished(async () => void (await run('umount', ['-l', disk])));
    const server = await startServer(directory);
    const database = await openDatabase({ url: server.connectionString, directory: '/nowhere', logger: silentLogger });
    onTestFinished(() => database.close());
    await mkdir(join(disk, 'space'));
    await chmod(join(disk, 'space'), 0o777);
    await run('chown', ['65534', join(disk, 'space')]);
    await queryOnce(server.superuserConnectionString, `create tablespace small location '${disk}/space'`);
    await queryOnce(server.superuserConnectionString, 'grant create on tablespace small to carcosa');

    await database.pool.query(
      `create table ballast tablespace small as select repeat('x', 1000) as text from generate_series(1, 1000)`,
    );
    await database.pool.query('create table crowded (n int, text text) tablespace small');
    await database.pool.query(`insert into crowded values (1, 'kept')`);
    const filling = database.pool.query(
      `insert into crowded select i, repeat('x', 1000) from generate_series(1, 20000) i`,
    );
    expect(await filling.catch(toDatabaseError)).toMatchObject({ code: 'storage_full', retryable: true });
    expect((await database.pool.query('select * from crowded')).rows).toEqual([{ n: 1, text: 'kept' }]);
    await database.pool.query('drop table ballast');
    await database.pool.query(`insert into crowded values (2, 'room again')`);
    expect((await database.pool.query('select count(*) as n from crowded')).rows).toEqual([{ n: 2 }]);
  },
);
