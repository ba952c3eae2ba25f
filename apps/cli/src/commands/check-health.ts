import { access, constants, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../exit-codes.ts';
import type { Context } from '../lib/context.ts';
import type { WithContext } from '../program.ts';

interface Finding {
  what: string;
  ok: boolean;
  /** What was seen, and what to do where it is not well. */
  says: string;
}

/** Looks at whatever commands and apps need, and says what to do about what is missing. */
export function checkHealth(program: Command, run: WithContext): void {
  program
    .command('doctor')
    .description('look at everything that has to work, from here to the bucket')
    .action(
      run(async (context) => {
        const findings = [
          nodeVersion(),
          serverInstalled(),
          await settingsRights(context),
          ...(await ofServer(context)),
        ];
        context.output.result(findings, (all) =>
          all.map(({ what, ok, says }) => `${ok ? 'ok ' : 'BAD'}  ${what.padEnd(12)} ${says}`).join('\n'),
        );
        if (findings.some(({ ok }) => !ok)) throw new CommandFailure('Not everything is well.', EXIT.failed);
      }),
    );
}

function nodeVersion(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const ok = major > 22 || (major === 22 && minor >= 12);
  return { what: 'Node', ok, says: ok ? process.version : `${process.version}: install 22.12 or later` };
}

function serverInstalled(): Finding {
  try {
    createRequire(import.meta.url).resolve('@carcosa/server/main');
    return { what: 'server', ok: true, says: '"carcosa start" can start one here' };
  } catch {
    return { what: 'server', ok: true, says: 'not installed beside this command: "carcosa start" does not work' };
  }
}

async function settingsRights({ environment: { settingsFile } }: Context): Promise<Finding> {
  const info = await stat(settingsFile).catch(() => undefined);
  if (!info) return { what: 'log-in', ok: true, says: 'none is kept' };
  const isPrivate = process.platform === 'win32' || (info.mode & 0o077) === 0;
  const isReadable = await access(settingsFile, constants.R_OK).then(
    () => true,
    () => false,
  );
  if (isPrivate && isReadable) return { what: 'log-in', ok: true, says: settingsFile };
  return { what: 'log-in', ok: false, says: `${settingsFile} can be read by others, or not by you: chmod 600 it` };
}

async function ofServer(context: Context): Promise<Finding[]> {
  const failed =
    (what: string) =>
    (error: Error): Finding[] => [{ what, ok: false, says: error.message }];
  const connection = await context.connection().catch(failed('connection'));
  if (Array.isArray(connection)) return connection;
  const { url, from } = connection;
  const found: Finding[] = [{ what: 'connection', ok: true, says: `${url}, from ${from}` }];
  const client = await context.client();
  const health = await client.call('GET /health').catch(failed('health'));
  if (Array.isArray(health)) return [...found, ...health];
  for (const [what, { status, error }] of Object.entries(health.components))
    found.push({ what, ok: status === 'up', says: error ?? status });
  const trial = await tryUpload(context).catch(failed('upload'));
  return [...found, ...trial];
}

/** The whole way, once: up, down, and away again. */
async function tryUpload(context: Context): Promise<Finding[]> {
  const client = await context.client();
  const file = await client.upload('carcosa doctor', { path: `.carcosa-doctor/${process.pid}.txt` });
  const text = await (await client.files.download(file.id)).text();
  const removed = await client.files.delete(file.id, { permanent: true }).then(
    () => 'and removed',
    () => 'but this key may not remove it',
  );
  return [{ what: 'upload', ok: text === 'carcosa doctor', says: `a file went up and came back, ${removed}` }];
}
