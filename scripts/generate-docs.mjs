// npm run docs: writes docs/errors.md from the registry of errors, docs/metrics.md from that of metrics, docs/permissions.md from the
// route table, and the types of the SDK from the OpenAPI document.
import { join } from 'node:path';
import { bootstrapSource } from './lib/bootstrap.mjs';
import { ROOT } from './lib/paths.mjs';
import { exitCodeOf, runForeground } from './lib/processes.mjs';
import { main } from './lib/say.mjs';
import { SOURCE_FLAGS } from './lib/source-flags.mjs';

const PROGRAM = `
import { writeFileSync } from 'node:fs';
import { errorsDocument } from '${join(ROOT, 'apps/server/src/http/errors-document.ts')}';
import { metricsDocument } from '${join(ROOT, 'apps/server/src/metrics/metrics-document.ts')}';
import { clientTypes } from '${join(ROOT, 'apps/server/src/http/openapi/client-types.ts')}';
import { permissionsDocument } from '${join(ROOT, 'apps/server/src/http/permissions-document.ts')}';
writeFileSync('${join(ROOT, 'docs/errors.md')}', errorsDocument());
writeFileSync('${join(ROOT, 'docs/metrics.md')}', metricsDocument());
writeFileSync('${join(ROOT, 'docs/permissions.md')}', await permissionsDocument());
writeFileSync('${join(ROOT, 'packages/sdk/src/openapi.ts')}', await clientTypes());
`;

await main(async () => {
  await bootstrapSource();
  return exitCodeOf(await runForeground(process.execPath, [...SOURCE_FLAGS, '--input-type=module', '--eval', PROGRAM]));
});
