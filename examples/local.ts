import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Local {
  url: string;
  projectId: string;
  apiKey: string;
  uploadthingToken: string;
}

/** Where Carcosa is: as the environment says, or as `npm start` in the root of the repository has written down. */
export function findCarcosa(): Pick<Local, 'url' | 'apiKey'> & Partial<Local> {
  const { CARCOSA_URL: url, CARCOSA_API_KEY: apiKey } = process.env;
  if (url && apiKey)
    return {
      url,
      apiKey,
      ...(process.env.UPLOADTHING_TOKEN ? { uploadthingToken: process.env.UPLOADTHING_TOKEN } : {}),
    };
  const file = join(import.meta.dirname, '..', '.carcosa', 'local.json');
  if (!existsSync(file)) {
    console.error('Start Carcosa first: "npm start" in the root of the repository.');
    process.exit(1);
  }
  return JSON.parse(readFileSync(file, 'utf8')) as Local;
}

export const PORT = Number(process.env.PORT ?? 3000);

/** Says where the example is, once it listens. */
export function announce(address: { port: number } | string | null): void {
  console.log(`Open http://localhost:${typeof address === 'object' && address ? address.port : PORT}`);
}
