import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { ResolvedS3Config } from './config.ts';

export interface PlainAnswer {
  status: number;
  /** Names in lower case; several values joined by ", ". */
  headers: Record<string, string>;
}

/** Sends a request as a client would who has nothing but its address. The answer's body is not kept. */
export async function plainRequest(
  config: Pick<ResolvedS3Config, 'guard' | 'idleTimeout'>,
  url: string,
  input: { method: string; headers: Record<string, string>; body?: Buffer },
): Promise<PlainAnswer> {
  const { method, headers, body } = input;
  const isSecure = url.startsWith('https:');
  const agents = config.guard?.agents({});
  const agent = isSecure ? agents?.https : agents?.http;
  try {
    return await new Promise((resolve, reject) => {
      const sent = (isSecure ? requestHttps : requestHttp)(url, {
        method,
        headers: { ...headers, 'content-length': String(body?.length ?? 0) },
        timeout: config.idleTimeout,
        ...(agent ? { agent } : {}),
      });
      sent.once('timeout', () => sent.destroy(new Error('no answer in time')));
      sent.once('error', reject);
      sent.once('response', (answer) => {
        resolve({ status: answer.statusCode ?? 0, headers: joined(answer.headers) });
        // However long the rest may be, nobody reads it.
        answer.destroy();
      });
      sent.end(body);
    });
  } finally {
    agent?.destroy();
  }
}

function joined(headers: NodeJS.Dict<string | string[]>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value ?? []].flat().join(', ')]));
}
