import { createHmac } from 'node:crypto';
import type { Command } from 'commander';
import type { Environment } from '../config.ts';
import { CommandFailure, EXIT } from '../exit-codes.ts';
import { bytes } from '../lib/output.ts';
import { ProgressBar } from '../lib/progress-bar.ts';
import type { WithContext } from '../program.ts';
import { wholeNumber } from './upload-files.ts';

interface Options {
  token?: string;
  apiUrl: string;
  fileHost?: string;
  parallel: string;
  dryRun?: boolean;
}

interface Source {
  apiUrl: string;
  apiKey: string;
  /** Where `/f/{key}` is. */
  fileUrl: string;
}

interface ListedFile {
  key: string;
  name: string;
  size: number;
  customId: string | null;
  status: string;
}

interface Outcome {
  key: string;
  name: string;
  result: 'copied' | 'was there' | 'failed';
  message?: string;
}

const PAGE = 500;
/** Milliseconds that an address to upload to holds. */
const ADDRESS_MS = 3_600_000;

/** `migrate-from uploadthing`: files with their keys, names and ids of the app, so that addresses differ in their host alone. */
export function migrateUploads(program: Command, run: WithContext): void {
  program
    .command('migrate-from')
    .description('copy all files of an UploadThing app, with their keys')
    .argument('<service>', 'uploadthing')
    .option('--token <token>', 'of the app there (UPLOADTHING_TOKEN)')
    .option('--api-url <url>', 'of its API', 'https://api.uploadthing.com')
    .option('--file-host <url>', "where its files are; default: the app's own host")
    .option('-p, --parallel <count>', 'files at once', '4')
    .option('--dry-run', 'only tell what there is')
    .addHelpText('after', '\nWhat was copied before is left out: call it again until nothing is left.')
    .action(
      run(async (context, [service]: [string], options: Options) => {
        if (service !== 'uploadthing') throw new CommandFailure('Files can be copied from uploadthing.', EXIT.usage);
        const source = sourceOf(options, context.environment);
        const files = await listAll(source);
        const size = files.reduce((sum, file) => sum + file.size, 0);
        if (options.dryRun) {
          context.output.result(files, (all) => `There are ${all.length} files with ${bytes(size)}.`);
          return;
        }
        const { url, apiKey } = await context.connection();
        if (!apiKey) throw new CommandFailure('Copying needs an API key: --key, or CARCOSA_API_KEY.', EXIT.refused);
        const target = { url, apiKey, projectId: await context.projectId() };
        const outcomes: Outcome[] = [];
        let bytesDone = 0;
        const bar = new ProgressBar(process.stderr, !context.output.isJson, () => ({
          ...{ files: files.length, filesDone: outcomes.length, bytes: size, bytesDone, speed: 0 },
        }));
        const waiting = files.values();
        const lane = async (): Promise<void> => {
          for (const file of waiting) {
            outcomes.push(await copy(source, target, file));
            bytesDone += file.size;
          }
        };
        await Promise.all(Array.from({ length: wholeNumber('--parallel', options.parallel) }, lane));
        bar.end();
        const failed = outcomes.filter(({ result }) => result === 'failed');
        const count = (result: Outcome['result']): number => outcomes.filter((each) => each.result === result).length;
        context.output.result(
          outcomes,
          () => `${count('copied')} copied, ${count('was there')} were there, ${failed.length} failed.`,
        );
        for (const { name, message } of failed) context.output.say(`${name}: ${message}`);
        if (failed.length > 0) throw new CommandFailure('Call it again for what has failed.', EXIT.partial);
      }),
    );
}

function sourceOf({ token, apiUrl, fileHost }: Options, { uploadThingToken }: Environment): Source {
  const text = token ?? uploadThingToken;
  if (!text) throw new CommandFailure('Give the token of the app: --token, or UPLOADTHING_TOKEN.', EXIT.usage);
  try {
    const { apiKey, appId } = JSON.parse(Buffer.from(text, 'base64').toString('utf8'));
    if (typeof apiKey !== 'string' || typeof appId !== 'string') throw new Error('it has no apiKey and appId');
    return {
      apiUrl: apiUrl.replace(/\/+$/, ''),
      apiKey,
      fileUrl: (fileHost ?? `https://${appId}.ufs.sh`).replace(/\/+$/, ''),
    };
  } catch (error) {
    throw new CommandFailure(`The token is not one of UploadThing: ${(error as Error).message}.`, EXIT.usage);
  }
}

async function listAll(source: Source): Promise<ListedFile[]> {
  const all: ListedFile[] = [];
  for (;;) {
    const page = await ask<{ files: ListedFile[]; hasMore: boolean }>(source, '/v6/listFiles', {
      limit: PAGE,
      offset: all.length,
    });
    all.push(...page.files);
    if (!page.hasMore || page.files.length === 0) return all.filter(({ status }) => status === 'Uploaded');
  }
}

async function ask<Answer>({ apiUrl, apiKey }: Source, path: string, body: unknown): Promise<Answer> {
  const headers = { 'content-type': 'application/json', 'x-uploadthing-api-key': apiKey };
  const answer = await fetch(`${apiUrl}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  if (answer.ok) return (await answer.json()) as Answer;
  const message = `${apiUrl}${path} answered ${answer.status}: ${(await answer.text()).slice(0, 300)}`;
  throw new CommandFailure(message, answer.status === 401 || answer.status === 403 ? EXIT.refused : EXIT.unavailable);
}

interface Target {
  url: string;
  apiKey: string;
  projectId: string;
}

async function copy(source: Source, target: Target, file: ListedFile): Promise<Outcome> {
  const { key, name } = file;
  try {
    const there = await fetch(`${target.url}/f/${key}`, { method: 'HEAD' });
    if (there.status !== 404) return { key, name, result: 'was there' };
    const { answer, isPrivate } = await open(source, key);
    const type = answer.headers.get('content-type') ?? '';
    const address = signedAddress(target, { ...file, type, isPrivate }, performance.timeOrigin + performance.now());
    const request = {
      method: 'PUT',
      headers: { range: 'bytes=0-', 'content-length': String(file.size) },
      body: answer.body,
      duplex: 'half',
    };
    const stored = await fetch(address, request as RequestInit);
    if (stored.ok) return { key, name, result: 'copied' };
    return { key, name, result: 'failed', message: `${stored.status}: ${(await stored.text()).slice(0, 300)}` };
  } catch (error) {
    return { key, name, result: 'failed', message: (error as Error).message };
  }
}

/** The bytes; of a private file by an address that is asked for. */
async function open(source: Source, key: string): Promise<{ answer: Response; isPrivate: boolean }> {
  const open = await fetch(`${source.fileUrl}/f/${key}`);
  if (open.ok) return { answer: open, isPrivate: false };
  await open.body?.cancel();
  const { ufsUrl } = await ask<{ ufsUrl: string }>(source, '/v6/requestFileAccess', { fileKey: key });
  const answer = await fetch(ufsUrl);
  if (!answer.ok) throw new CommandFailure(`its bytes are not to be had (${answer.status})`);
  return { answer, isPrivate: true };
}

/** An address to upload to that keeps the key: as apps of UploadThing sign them. @param now milliseconds since the epoch */
function signedAddress(
  { url, apiKey, projectId }: Target,
  { key, name, size, type, customId, isPrivate }: ListedFile & { type: string; isPrivate: boolean },
  now: number,
): string {
  const facts = {
    expires: String(Math.floor(now) + ADDRESS_MS),
    'x-ut-identifier': projectId,
    'x-ut-file-name': name,
    'x-ut-file-size': String(size),
    ...(type ? { 'x-ut-file-type': type } : {}),
    ...(customId ? { 'x-ut-custom-id': customId } : {}),
    'x-ut-acl': isPrivate ? 'private' : 'public-read',
  };
  const address = `${url}/uploadthing/ingest/${key}?${new URLSearchParams(facts)}`;
  const signature = createHmac('sha256', apiKey).update(address).digest('hex');
  return `${address}&signature=${encodeURIComponent(`hmac-sha256=${signature}`)}`;
}
