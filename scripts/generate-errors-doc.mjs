// npm run docs: writes docs/errors.md from the registry of errors.
import { join } from 'node:path';
import { bootstrapSource } from './lib/bootstrap.mjs';
import { ROOT } from './lib/paths.mjs';
import { exitCodeOf, runForeground } from './lib/processes.mjs';
import { main } from './lib/say.mjs';
import { SOURCE_FLAGS } from './lib/source-flags.mjs';

const PROGRAM = `
import { writeFileSync } from 'node:fs';
import { errorsDocument } from '${join(ROOT, 'apps/server/src/http/errors-document.ts')}';
writeFileSync('${join(ROOT, 'docs/errors.md')}', errorsDocument());
`;

await main(async () => {
  await bootstrapSource();
  return exitCodeOf(await runForeground(process.execPath, [...SOURCE_FLAGS, '--input-type=module', '--eval', PROGRAM]));
});
