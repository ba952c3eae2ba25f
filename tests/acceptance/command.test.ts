import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CommandOptions, type Ended, runCommand, startCommand } from '../support/command.ts';
import { type CuttingProxy, startCuttingProxy } from '../support/cutting-proxy.ts';
import { makeHome, type Server, startServer } from '../support/server.ts';
import { WebhookReceiver } from '../support/webhook-receiver.ts';

const MIB = 1024 * 1024;

interface Uploaded {
  name: string;
  ok: boolean;
  file: { id: string; path: string; size: number; visibility: string; metadata: object; version: number };
}

let proxy: CuttingProxy;
let server: Server;
let home: string;
beforeAll(async () => {
  proxy = await startCuttingProxy();
  server = await startServer({
    env: {
      CARCOSA_PUBLIC_URL: proxy.url,
      CARCOSA_ADMIN_EMAIL: 'a@example.com',
      CARCOSA_ADMIN_PASSWORD: 'a long password',
    },
  });
  proxy.target(server.directUrl);
  home = await makeHome();
});
afterAll(async () => {
  await server?.stop();
  await proxy?.close();
  if (home) await rm(home, { recursive: true, force: true });
});

const settings = () => path.join(home, 'settings', 'cli.json');
const known = () => ({ CARCOSA_URL: proxy.url, CARCOSA_API_KEY: server.apiKey, CARCOSA_CLI_SETTINGS: settings() });

/** Runs a command with the key of the server, in a folder of the test. */
const carcosa = (args: string[], options: CommandOptions = {}): Promise<Ended> =>
  runCommand(args, { cwd: home, ...options, env: { ...known(), ...options.env } });

async function json<Value>(...args: string[]): Promise<Value> {
  const { code, out, error } = await carcosa([...args, '--json']);
  expect(code, `${args.join(' ')}: ${error}`).toBe(0);
  return JSON.parse(out) as Value;
}

async function put(name: string, content: string | Buffer): Promise<string> {
  const file = path.join(home, name);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, content);
  return file;
}

describe('files', () => {
  it('go up one by one, by pattern, as folders and from standard input', async () => {
    await put('one.txt', 'one');
    await put('tree/a.txt', 'a');
    await put('tree/deep/b.txt', 'b');
    const paths = async (...args: string[]) =>
      (await json<Uploaded[]>('upload', ...args)).map(({ file }) => file.path).sort();
    expect(await paths('one.txt')).toEqual(['one.txt']);
    expect(await paths('one.txt', '--to', 'other.txt')).toEqual(['other.txt']);
    expect(await paths('one.txt', '--to', 'in/')).toEqual(['in/one.txt']);
    expect(await paths('tree')).toEqual(['tree/a.txt', 'tree/deep/b.txt']);
    expect(await paths('tree/**/*.txt', '--to', 'flat/')).toEqual(['flat/a.txt', 'flat/b.txt']);
    const { code } = await carcosa(['upload', '-', '--to', 'stdin.txt'], { input: 'from a pipe' });
    expect(code).toBe(0);
    expect((await carcosa(['download', 'stdin.txt', '--to', '-'])).out).toBe('from a pipe');
    const [made] = await json<Uploaded[]>('upload', 'one.txt', '--private', '--metadata', '{"n":1}');
    expect(made?.file).toMatchObject({ visibility: 'private', metadata: { n: 1 } });
  });

  it('are listed, moved, thrown away and shown by their addresses', async () => {
    await put('x.txt', 'x');
    await json('upload', 'x.txt', '--to', 'list/x.txt', '--public');
    expect((await carcosa(['ls', 'list'])).out).toMatch(/^NAME .*\nx\.txt +1 B +text\/plain/);
    expect((await carcosa(['ls'])).out).toMatch(/^list\/ +1 B +1 file$/m);
    await json('mv', 'list/x.txt', 'list/sub/');
    const { url } = await json<{ url: string }>('url', 'list/sub/x.txt');
    expect(await (await fetch(url)).text()).toBe('x');
    const signed = await json<{ url: string }>('url', 'list/sub/x.txt', '--expires', '60');
    expect(signed.url).toContain('signature=');
    const picture = await json<{ url: string }>('transform', 'list/sub/x.txt', 'w=10', 'format=webp', 'flip');
    expect(picture.url).toMatch(/\/t\/prj_\w+\/f_webp,flip,w_10\/list\/sub\/x\.txt$/);
    expect((await carcosa(['rm', 'list/'])).code).toBe(2);
    expect(await json('rm', 'list/', '--recursive')).toMatchObject({ removed: [expect.any(String)], permanent: false });
    expect((await carcosa(['ls', 'list'])).out).toMatch(/nothing/);
    expect((await carcosa(['ls', '--trash'])).out).toMatch(/list\/sub\/x\.txt/);
  });

  it('come down with their folders', async () => {
    await put('down/a.txt', 'a');
    await put('down/deep/b.bin', randomBytes(MIB));
    await json('upload', 'down');
    await json('download', 'down/', '--to', 'copy');
    expect((await readdir(path.join(home, 'copy'), { recursive: true })).sort()).toEqual([
      'a.txt',
      'deep',
      'deep/b.bin',
    ]);
    const [one, other] = await Promise.all(
      ['down', 'copy'].map((folder) => readFile(path.join(home, folder, 'deep/b.bin'))),
    );
    expect(one?.equals(other as Buffer)).toBe(true);
  });

  it('that were cut off are continued by the same command', async () => {
    await put('cut.bin', randomBytes(48 * MIB));
    proxy.holdAfter(30 * MIB);
    const first = startCommand(['upload', 'cut.bin'], { cwd: home, env: known() });
    const offset = async () =>
      (await server.api<{ items: { id: string; offset: number }[] }>('GET', '/uploads')).data.items[0];
    await expect.poll(offset, { timeout: 30_000 }).toBeDefined();
    const session = await offset();
    first.child.kill('SIGKILL');
    await first.ended;
    proxy.release();
    const [second] = await json<Uploaded[]>('upload', 'cut.bin');
    expect(second?.file).toMatchObject({ path: 'cut.bin', size: 48 * MIB, version: 1 });
    const ended = (await server.api<{ status: string; fileId: string }>('GET', `/uploads/${session?.id}`)).data;
    expect(ended).toMatchObject({ status: 'completed', fileId: second?.file.id });
  });

  it('are made like a folder, and a folder like them', async () => {
    await put('sync/same.txt', 'same');
    await put('sync/new.txt', 'new');
    await put('sync/changed.txt', 'now');
    await json('upload', 'sync/same.txt', '--to', 'synced/same.txt');
    await carcosa(['upload', '-', '--to', 'synced/changed.txt'], { input: 'was' });
    await carcosa(['upload', '-', '--to', 'synced/gone.txt'], { input: 'gone' });
    const plan = { copy: ['changed.txt', 'new.txt'], remove: ['gone.txt'], unchanged: 1 };
    expect(await json('sync', 'sync', 'synced', '--delete', '--dry-run')).toEqual(plan);
    expect(await json('sync', 'sync', 'synced', '--delete')).toEqual(plan);
    expect(await json('sync', 'sync', 'synced', '--delete')).toEqual({ copy: [], remove: [], unchanged: 3 });
    await json('sync', 'back', 'synced', '--down');
    expect((await readdir(path.join(home, 'back'))).sort()).toEqual(['changed.txt', 'new.txt', 'same.txt']);
  });
});

describe('what goes wrong', () => {
  it('has an exit code and words', async () => {
    const ends = async (args: string[], env = {}) => {
      const { code, error } = await carcosa(args, { env });
      return [code, error] as const;
    };
    expect(await ends(['nothing'])).toEqual([2, expect.stringMatching(/unknown command/)]);
    expect(await ends(['upload', 'none.txt'])).toEqual([2, expect.stringMatching(/no file none\.txt/)]);
    expect(await ends(['url', 'none.txt'])).toEqual([3, expect.stringMatching(/no file at none\.txt/)]);
    expect(await ends(['ls'], { CARCOSA_API_KEY: 'sk_no_no' })).toEqual([4, expect.stringMatching(/API key/)]);
    expect(await ends(['ls'], { CARCOSA_URL: 'http://127.0.0.1:1' })).toEqual([5, expect.stringMatching(/reached/)]);
    expect(await ends(['ls'], { CARCOSA_URL: undefined, CARCOSA_API_KEY: undefined })).toEqual([
      4,
      expect.stringMatching(/carcosa login/),
    ]);
  });

  it('is JSON for programs, and tells which of several did not work', async () => {
    const { error } = await carcosa(['url', 'none.txt', '--json']);
    expect(JSON.parse(error)).toMatchObject({ error: 'not_found', message: expect.stringMatching(/none\.txt/) });
    const { projectId } = server;
    await put('some/a.txt', 'a');
    await put('some/b.txt', 'longer than ten');
    await server.api('PATCH', `/projects/${projectId}`, { json: { settings: { maxFileSize: 10 } } });
    try {
      const { code, out } = await carcosa(['upload', 'some', '--json']);
      expect(code).toBe(7);
      const results = JSON.parse(out) as { name: string; ok: boolean; error?: { error: string } }[];
      expect(results.map(({ name, ok, error }) => [path.basename(name), ok, error?.error]).sort()).toEqual([
        ['a.txt', true, undefined],
        ['b.txt', false, 'file_too_large'],
      ]);
    } finally {
      await server.api('PATCH', `/projects/${projectId}`, { json: { settings: { maxFileSize: null } } });
    }
  });
});

describe('who one is', () => {
  const loggedIn = { CARCOSA_URL: undefined, CARCOSA_API_KEY: undefined };
  const person = (args: string[], input?: string) => carcosa(args, { env: loggedIn, ...(input ? { input } : {}) });

  it('is kept for nobody else to read, and renewed', async () => {
    const login = ['login', '--url', proxy.url, '--email', 'a@example.com', '--password-stdin'];
    expect((await person(login, 'wrong password\n')).code).toBe(4);
    expect(await person(login, 'a long password\n')).toMatchObject({ code: 0 });
    expect((await stat(settings())).mode & 0o777).toBe(0o600);
    for (const _ of [1, 2]) expect((await person(['whoami'])).out).toMatch(/^a@example\.com\nat /);
    const { out } = await person(['projects', 'list', '--json']);
    const [project] = JSON.parse(out) as { id: string; name: string }[];
    expect((await person(['projects', 'use', project?.id ?? ''])).out).toMatch(/default/);
    expect((await person(['ls'])).code).toBe(0);
    expect((await person(['buckets', 'list'])).out).toMatch(/bkt_\w+ +\S+ +local +this server/);
    expect((await person(['logout'])).code).toBe(0);
    expect((await person(['ls'])).code).toBe(4);
  });

  it('may be a key that was made here', async () => {
    const { out } = await carcosa(['keys', 'create', 'reader', '--allow', 'files:read']);
    const key = out.trim();
    expect((await carcosa(['ls', '--key', key])).code).toBe(0);
    expect((await carcosa(['upload', 'one.txt', '--key', key])).code).toBe(4);
    const keys = await json<{ id: string; name: string }[]>('keys', 'list');
    const { id } = keys.find(({ name }) => name === 'reader') ?? { id: '' };
    const rotated = (await carcosa(['keys', 'rotate', id, '--overlap', '0'])).out.trim();
    expect((await carcosa(['ls', '--key', rotated])).code).toBe(0);
    expect((await carcosa(['ls', '--key', key])).code).toBe(4);
    await json('keys', 'revoke', id);
    expect((await person(['login', '--url', proxy.url, '--key', server.apiKey])).code).toBe(0);
    expect((await person(['ls'])).code).toBe(0);
  });
});

it('init adds uploads to an app, and leaves alone what is there', async () => {
  const app = path.join(home, 'app');
  await put('app/package.json', JSON.stringify({ dependencies: { next: '16.0.0', express: '5.0.0' } }));
  await put('app/.env.local', 'OTHER=1');
  await put('app/app/upload/page.tsx', 'mine');
  const init = (...args: string[]) => carcosa(['init', ...args], { cwd: app });
  const planned = await init('--dry-run', '--json');
  expect(JSON.parse(planned.out)).toMatchObject({ framework: 'Next.js', dryRun: true });
  expect(await readdir(path.join(app, 'app'))).toEqual(['upload']);
  const { out } = await init();
  expect(out).toMatch(/write app\/api\/upload\/route\.ts/);
  expect(out).toMatch(/keep {2}app\/upload\/page\.tsx/);
  expect(await readFile(path.join(app, 'app/upload/page.tsx'), 'utf8')).toBe('mine');
  expect(await readFile(path.join(app, 'app/api/upload/route.ts'), 'utf8')).toContain(
    "from '@carcosa/file-router/next'",
  );
  const env = await readFile(path.join(app, '.env.local'), 'utf8');
  expect(env).toBe(`OTHER=1\nCARCOSA_URL=${proxy.url}\nCARCOSA_API_KEY=${server.apiKey}\n`);
  expect((await init()).out).toMatch(/keep {2}\.env\.local/);
  expect((await init('--framework', 'rails')).code).toBe(2);
  await put('bare/package.json', '{}');
  expect((await carcosa(['init'], { cwd: path.join(home, 'bare') })).code).toBe(2);
});

it('listen forwards what happens to this machine, signed', async () => {
  const receiver = await WebhookReceiver.open();
  const secret = `whsec_${Buffer.from('a secret of 24 bytes ok!').toString('base64')}`;
  const listening = startCommand(['listen', receiver.url, '--secret', secret, '--events', 'file.created'], {
    cwd: home,
    env: known(),
  });
  try {
    await expect.poll(() => listening.out, { timeout: 20_000 }).toMatch(/Events go to/);
    let answers = 0;
    receiver.behaviour = (response) => response.writeHead(answers++ === 0 ? 500 : 204).end();
    // It may not be connected yet: what happens is told by events that come until one is heard.
    let made = 0;
    await expect
      .poll(
        async () => {
          await server.api('POST', '/files', { query: { path: `heard-${made++}.txt` }, body: 'x' });
          return receiver.received.length;
        },
        { timeout: 20_000, interval: 500 },
      )
      .toBeGreaterThan(1);
    const [first, again] = receiver.received;
    expect(first?.headers['webhook-id']).toBe(again?.headers['webhook-id']);
    expect(again?.body).toMatchObject({ type: 'file.created', data: { path: expect.stringMatching(/^heard-/) } });
    const { Webhook } = await import('standardwebhooks');
    expect(new Webhook(secret).verify(again?.text ?? '', again?.headers as Record<string, string>)).toEqual(
      again?.body,
    );
  } finally {
    listening.child.kill('SIGTERM');
    await listening.ended;
    await receiver.close();
  }
});

it('logs tell what happened, completion knows all commands, doctor looks at everything', async () => {
  await put('logged.txt', 'x');
  await json('upload', 'logged.txt', '--to', 'logged.txt');
  expect((await carcosa(['logs', '-n', '5'])).out).toMatch(/file\.created {2}file_\w+/);
  expect((await carcosa(['logs', '--audit', '-n', '5'])).out).toMatch(/key_\w+ +file\.create/);
  const script = (await carcosa(['completion', 'bash'])).out;
  expect(script).toMatch(/upload\) words="--to .*--parallel/);
  expect((await runCommand(['completion', 'tcsh'])).code).toBe(2);
  const { code, out } = await carcosa(['doctor']);
  expect(out).toMatch(/ok {3}upload +a file went up and came back, and removed/);
  expect(code).toBe(0);
});

it('migrate-from uploadthing copies files with their keys, names and visibility, once', async () => {
  const source = await startServer();
  try {
    const token = JSON.parse(await readFile(path.join(source.dataDir, 'local.json'), 'utf8'))
      .uploadthingToken as string;
    for (const visibility of ['public', 'private'])
      await source.api('POST', '/files', { query: { path: `${visibility} ü.txt`, visibility }, body: visibility });
    const args = [
      'migrate-from',
      'uploadthing',
      '--token',
      token,
      '--api-url',
      `${source.url}/uploadthing`,
      '--file-host',
      source.url,
    ];
    const listed = await json<{ key: string; name: string }[]>(...args, '--dry-run');
    expect(listed.map(({ name }) => name).sort()).toEqual(['private ü.txt', 'public ü.txt']);
    const outcomes = await json<{ result: string }[]>(...args);
    expect(outcomes.map(({ result }) => result)).toEqual(['copied', 'copied']);
    for (const { key, name } of listed) {
      const answer = await fetch(`${proxy.url}/f/${key}`);
      if (name.startsWith('private')) expect(answer.status).toBe(403);
      else expect(await answer.text()).toBe('public');
    }
    expect((await json<{ result: string }[]>(...args)).map(({ result }) => result)).toEqual(['was there', 'was there']);
    expect((await carcosa(['migrate-from', 'uploadthing', '--token', 'nonsense'])).code).toBe(2);
  } finally {
    await source.stop();
  }
});
