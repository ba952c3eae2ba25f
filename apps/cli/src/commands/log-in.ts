import { rm } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { createCarcosa } from '@carcosa/sdk/node';
import type { Command } from 'commander';
import { CommandFailure, EXIT } from '../exit-codes.ts';
import { ask } from '../lib/ask.ts';
import { writeSettings } from '../lib/settings.ts';
import type { WithContext } from '../program.ts';

interface Options {
  email?: string;
  passwordStdin?: boolean;
}

/** `login`, `logout`, `whoami`. */
export function logIn(program: Command, run: WithContext): void {
  program
    .command('login')
    .description('remember a server and who you are: by --key, or by e-mail address and password')
    .option('--email <address>', 'of your account')
    .option('--password-stdin', 'read the password from standard input')
    .action(
      run(async (context, _args: [], options: Options) => {
        const { environment, options: all } = context;
        const url = all.url ?? environment.url;
        if (!url) throw new CommandFailure('Say where: carcosa login --url https://files.example.com', EXIT.usage);
        const project = all.project ?? environment.projectId;
        const common = { url, ...(project ? { projectId: project } : {}) };
        const key = all.key ?? environment.apiKey;
        if (key !== undefined) {
          const facts = await createCarcosa({ url }).tokens.validate(key);
          if (!facts.valid)
            throw new CommandFailure('The server does not know this key, or it has ended.', EXIT.refused);
          const projectId = facts.projectId ?? project;
          await writeSettings(environment.settingsFile, {
            ...common,
            apiKey: key,
            ...(projectId ? { projectId } : {}),
          });
          context.output.result({ url, projectId }, () => `You use ${url} with a key of ${projectId ?? 'no project'}.`);
          return;
        }
        const refreshToken = await refreshTokenOf(url, options);
        await writeSettings(environment.settingsFile, { ...common, refreshToken });
        context.output.result({ url }, () => `You are logged in at ${url}.`);
      }),
    );
  program
    .command('logout')
    .description('forget the server and who you are')
    .action(
      run(async (context) => {
        const { refreshToken } = await context.connection();
        if (refreshToken) await (await context.client()).call('POST /auth/logout');
        await rm(context.environment.settingsFile, { force: true });
        context.output.result({ ok: true }, () => 'You are logged out.');
      }),
    );
  program
    .command('whoami')
    .description('which server and credential are used, and where they come from')
    .action(
      run(async (context) => {
        const { url, projectId, from, apiKey } = await context.connection();
        const client = await context.client();
        const facts = apiKey ? await client.tokens.validate(apiKey) : await client.call('GET /auth/me');
        const who = 'email' in facts ? facts.email : `a key with ${facts.permissions?.join(', ') ?? 'no rights'}`;
        context.output.result({ url, projectId, from, ...facts }, () => `${who}\nat ${url}\nfrom ${from}`);
      }),
    );
}

async function refreshTokenOf(url: string, options: Options): Promise<string> {
  const client = createCarcosa({ url });
  const email = options.email ?? (await ask('E-mail address:'));
  const password = options.passwordStdin
    ? (await text(process.stdin)).replace(/\r?\n$/, '')
    : await ask('Password:', true);
  const first = await client.call('POST /auth/login', { body: { email, password } });
  if (!('twoFactorRequired' in first)) return first.refreshToken;
  const code = await ask('Code of your authenticator, or a recovery code:');
  const { twoFactorToken } = first;
  const body = /^\d{6}$/.test(code) ? { twoFactorToken, code } : { twoFactorToken, recoveryCode: code };
  return (await client.call('POST /auth/login/two-factor', { body })).refreshToken;
}
