import { RouterConfigError } from './errors.ts';

/** Where the router's files go, and how. What is absent comes from the environment. */
export interface RouterConfig {
  /** The address of Carcosa; else CARCOSA_URL, or that of `npm start` on this machine. */
  url?: string;
  /** A key of the project that signs (`"signs": true`); else CARCOSA_API_KEY. */
  apiKey?: string;
  /** Else CARCOSA_PROJECT_ID; else the project of the key, which is asked for once. */
  projectId?: string;
  /** Where Carcosa tells this app of uploads: the address of the handler; else CARCOSA_CALLBACK_URL, or that of the client's request. */
  callbackUrl?: string;
  /** Whether this app can only be told by a stream that it holds open; else whether NODE_ENV is "development". */
  isDev?: boolean;
  fetch?: typeof fetch;
  /** Told of what went wrong while no client waited; absent: `console.error`. */
  onError?: (error: unknown) => void;
}

export interface Connection {
  url: string;
  apiKey: string;
  projectId: string;
  callbackUrl: string | undefined;
  isDev: boolean;
  fetch: typeof fetch;
  onError: (error: unknown) => void;
}

const DEFAULT_URL = 'http://127.0.0.1:4000';

/** The environment where there is one: at the edge there may be none. */
function env(name: string): string | undefined {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
  return process?.env?.[name] || undefined;
}

/** Reads the configuration when the first request comes, so that a build without an environment succeeds. */
export function connect(config: RouterConfig): () => Promise<Connection> {
  let connection: Promise<Connection> | undefined;
  return () => {
    connection ??= open(config).catch((error: unknown) => {
      connection = undefined;
      throw error;
    });
    return connection;
  };
}

async function open(config: RouterConfig): Promise<Connection> {
  const url = (config.url ?? env('CARCOSA_URL') ?? DEFAULT_URL).replace(/\/+$/, '');
  const apiKey = config.apiKey ?? env('CARCOSA_API_KEY');
  if (!apiKey) {
    throw new RouterConfigError(
      'Set CARCOSA_API_KEY to a key that signs: POST /api/v1/api-keys with "signs": true, or the one of local.json.',
    );
  }
  const send = config.fetch ?? fetch;
  return {
    ...{ url, apiKey, fetch: send },
    projectId: config.projectId ?? env('CARCOSA_PROJECT_ID') ?? (await projectOf(url, apiKey, send)),
    callbackUrl: config.callbackUrl ?? env('CARCOSA_CALLBACK_URL'),
    isDev: config.isDev ?? env('NODE_ENV') === 'development',
    onError: config.onError ?? ((error) => console.error('[carcosa]', error)),
  };
}

/** A key belongs to one project. */
async function projectOf(url: string, apiKey: string, send: typeof fetch): Promise<string> {
  const response = await send(`${url}/api/v1/projects?limit=1`, { headers: { authorization: `Bearer ${apiKey}` } });
  const body = (await response.json().catch(() => null)) as {
    data?: { items?: { id: string }[] };
    message?: string;
  } | null;
  const id = body?.data?.items?.[0]?.id;
  if (id) return id;
  throw new RouterConfigError(
    `Carcosa does not say which project CARCOSA_API_KEY is of (${body?.message ?? response.status}); set CARCOSA_PROJECT_ID.`,
  );
}

/** The present in milliseconds since the epoch, where a calendar counts. */
export const present = (): number => Date.now();
