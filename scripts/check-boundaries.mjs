// Holds the sources against the import rules of ARCHITECTURE.md: node scripts/check-boundaries.mjs [root]
import { breaches } from './lib/boundaries/rules.mjs';
import { readWorkspace } from './lib/boundaries/workspace.mjs';
import { ROOT } from './lib/paths.mjs';

const found = breaches(readWorkspace(process.argv[2] ?? ROOT));
for (const line of found) console.log(line);
console.log(found.length === 0 ? 'Boundaries: nothing crosses them.' : `Boundaries: ${found.length} breaches.`);
process.exitCode = found.length === 0 ? 0 : 1;
