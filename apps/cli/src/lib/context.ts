import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Carcosa, createCarcosa, type NodeUploadInput } from '@carcosa/sdk/node';
import type { Environment } from '../config.ts';
import { CommandFailure, EXIT } from '../exit-codes.ts';
import type { Output } from './output.ts';
import { readSettings, type Settings, writeSettings } from './settings.ts';

/** Options that every command takes. */
export interface GlobalOptions {
  url?: string;
  key?: string;
  project?: string;
  json?: boolean;
}

export interface Connection {
  url: string;
  projectId: string | undefined;
  /** Where it is from, for who asks. */
  from: string;
  apiKey?: string;
  refreshToken?: string;
}

export type Client = Carcosa<NodeUploadInput>;

/** What a command works with. */
export class Context {
  readonly environment: Environment;
  readonly output: Output;
  readonly options: GlobalOptions;

  constructor(environment: Environment, output: Output, options: GlobalOptions) {
    this.environment = environment;
    this.output = output;
    this.options = options;
  }

  /** Of what the command line, the environment, a server that was started here, and the last log-in say, the first. */
  async connection(): Promise<Connection> {
    const { environment, options } = this;
    const key = options.key ?? environment.apiKey;
    const url = options.url ?? environment.url;
    const project = options.project ?? environment.projectId;
    const local = await this.#local();
    const settings = await readSettings(environment.settingsFile);
    const of = (from: string, found: Settings): Connection => {
      const known = { url: url ?? found.url, projectId: project ?? found.projectId, from };
      if (key !== undefined) return { ...known, apiKey: key };
      return { ...known, ...(found.apiKey ? { apiKey: found.apiKey } : { refreshToken: found.refreshToken ?? '' }) };
    };
    if (key !== undefined && url !== undefined) return of('the command line or environment', { url });
    if (local && (url === undefined || url === local.url)) return of(join(environment.dataDir, 'local.json'), local);
    if (settings && (url === undefined || url === settings.url)) return of(environment.settingsFile, settings);
    throw new CommandFailure(
      'No server is known: log in with "carcosa login", start one with "carcosa start", or set CARCOSA_URL and CARCOSA_API_KEY.',
      EXIT.refused,
    );
  }

  /** @param options how many files go at once, and whether small ones are hashed */
  async client(options: { parallelFiles?: number; checksums?: boolean } = {}): Promise<Client> {
    const { url, projectId, apiKey, refreshToken } = await this.connection();
    const known = { url, ...(projectId ? { projectId } : {}), ...options };
    if (apiKey) return createCarcosa({ ...known, apiKey });
    return createCarcosa({ ...known, tokenProvider: () => this.#renew(url, refreshToken ?? '', projectId) });
  }

  /** The project that commands are about. */
  async projectId(): Promise<string> {
    const { projectId, apiKey } = await this.connection();
    if (projectId) return projectId;
    const facts = apiKey ? await (await this.client()).tokens.validate(apiKey) : undefined;
    if (facts?.projectId) return facts.projectId;
    throw new CommandFailure('Say which project: --project prj_…; "carcosa projects list" shows them.', EXIT.usage);
  }

  async #local(): Promise<Settings | undefined> {
    const text = await readFile(join(this.environment.dataDir, 'local.json'), 'utf8').catch(() => undefined);
    return text === undefined ? undefined : JSON.parse(text);
  }

  /** A refresh token serves once: the next one is kept before this one's access token is used. */
  async #renew(url: string, refreshToken: string, projectId: string | undefined): Promise<string> {
    const current = (await readSettings(this.environment.settingsFile))?.refreshToken ?? refreshToken;
    const tokens = await createCarcosa({ url }).call('POST /auth/refresh', { body: { refreshToken: current } });
    const next = { url, refreshToken: tokens.refreshToken, ...(projectId ? { projectId } : {}) };
    await writeSettings(this.environment.settingsFile, next);
    return tokens.accessToken;
  }
}
