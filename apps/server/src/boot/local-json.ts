import { chmod, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { uploadthingToken } from '@carcosa/domain';
import { z } from 'zod';

/** What `<data dir>/local.json` tells clients on this machine: the CLI, the examples, the tests. */
const LocalJson = z.object({
  url: z.string(),
  projectId: z.string(),
  apiKey: z.string(),
  /** Lets an app that was written for UploadThing talk to this server unchanged. */
  uploadthingToken: z.string(),
});
export type LocalJson = z.infer<typeof LocalJson>;

/** What an earlier start left; null when there is nothing or it cannot be read any more. */
export async function readLocalJson(dataDir: string): Promise<LocalJson | null> {
  try {
    return LocalJson.parse(JSON.parse(await readFile(fileOf(dataDir), 'utf8')));
  } catch (error) {
    if (
      error instanceof SyntaxError ||
      error instanceof z.ZodError ||
      (error as NodeJS.ErrnoException).code === 'ENOENT'
    )
      return null;
    throw error;
  }
}

/** Replaces the file as a whole, readable by its owner alone; what says the same already stays, also on a full disk. */
export async function writeLocalJson(dataDir: string, input: Omit<LocalJson, 'uploadthingToken'>): Promise<LocalJson> {
  const content = { ...input, uploadthingToken: uploadthingToken(input) };
  const present = await readLocalJson(dataDir);
  if (present && JSON.stringify(present) === JSON.stringify(LocalJson.parse(content))) {
    await chmod(fileOf(dataDir), 0o600);
    return content;
  }
  const temporary = `${fileOf(dataDir)}.${process.pid}.new`;
  const handle = await open(temporary, 'w', 0o600);
  try {
    await handle.writeFile(`${JSON.stringify(content, null, 2)}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  // A leftover of a crash keeps its own mode when it is opened again.
  await chmod(temporary, 0o600);
  await rename(temporary, fileOf(dataDir));
  return content;
}

function fileOf(dataDir: string): string {
  return join(dataDir, 'local.json');
}
