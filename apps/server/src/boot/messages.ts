import type { ServerConfig } from '../config.ts';
import type { LocalJson } from './local-json.ts';

const STEPS = {
  database: 'Opening the database',
  migrations: 'Bringing its schema up to date',
  provisioning: 'Looking after the default project',
};

/** Lines for a person who waits. */
export class Progress {
  step(step: keyof typeof STEPS): void {
    process.stdout.write(`${STEPS[step]} …\n`);
  }

  done(): void {
    process.stdout.write('\n');
  }
}

export interface ReadyFacts {
  url: string;
  publicUrl: string;
  config: ServerConfig;
  local: LocalJson;
  /** Nobody runs the server yet. */
  isUnclaimed: boolean;
}

export function announceReady({ url, publicUrl, config, local, isUnclaimed }: ReadyFacts): void {
  const lines = [
    `Carcosa is ready at ${url}`,
    '',
    `  Start page  ${publicUrl}/`,
    `  API         ${publicUrl}/api/v1`,
    `  Docs        ${publicUrl}/api/v1/docs`,
    `  Data        ${config.dataDir}`,
    ...(isUnclaimed ? ['', '  The first account that registers becomes the owner: see docs/people.md.'] : []),
    '',
    '  Upload something:',
    `    ${uploadLine(local, config)}`,
    '',
    '  Upload a picture, photo.jpg, and see it small at the second address:',
    `    ${pictureLine(local, config)}`,
    `    ${publicUrl}/t/${local.projectId}/w_400,f_webp/photo.jpg`,
    '',
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

function uploadLine(local: LocalJson, config: ServerConfig): string {
  const address = `${local.url}/api/v1/files?path=hello.txt`;
  return `echo 'Hello, Carcosa' | curl --data-binary @- -H 'Content-Type: text/plain' -H "x-api-key: ${shownKey(local, config)}" '${address}'`;
}

function pictureLine(local: LocalJson, config: ServerConfig): string {
  const address = `${local.url}/api/v1/files?path=photo.jpg&visibility=public`;
  return `curl --data-binary @photo.jpg -H 'Content-Type: image/jpeg' -H "x-api-key: ${shownKey(local, config)}" '${address}'`;
}

function shownKey({ apiKey }: LocalJson, config: ServerConfig): string {
  // On a terminal the key of the local default project may be seen; output that is kept somewhere gets a way to the key instead.
  const showsKey = process.stdout.isTTY && config.databaseUrl === undefined;
  return showsKey ? apiKey : `$(sed -n 's/.*"apiKey": "\\(.*\\)".*/\\1/p' '${config.dataDir}/local.json')`;
}
