import { homedir } from 'node:os';
import { join } from 'node:path';

/** What the environment says. */
export interface Environment {
  readonly url: string | undefined;
  readonly apiKey: string | undefined;
  readonly projectId: string | undefined;
  /** Where log-ins are kept. */
  readonly settingsFile: string;
  /** Of a server that was started here. */
  readonly dataDir: string;
  readonly uploadThingToken: string | undefined;
  readonly hasColour: boolean;
  readonly shell: string;
  /** As it is, for programs that are started from here. */
  readonly all: NodeJS.ProcessEnv;
}

export function readEnvironment(): Environment {
  const { env } = process;
  const folder = env.XDG_CONFIG_HOME || join(homedir(), '.config');
  return {
    url: env.CARCOSA_URL,
    apiKey: env.CARCOSA_API_KEY,
    projectId: env.CARCOSA_PROJECT_ID,
    settingsFile: env.CARCOSA_CLI_SETTINGS || join(folder, 'carcosa', 'cli.json'),
    dataDir: env.CARCOSA_DATA_DIR || '.carcosa',
    uploadThingToken: env.UPLOADTHING_TOKEN,
    hasColour: !env.NO_COLOR,
    shell: env.SHELL ?? '',
    all: env,
  };
}
