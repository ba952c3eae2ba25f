// npm run lint [-- --write]: format, lint rules, boundaries and types. With --write, what can be mended by itself is.
import { bootstrapSource } from './lib/bootstrap.mjs';
import { CHECKS } from './lib/checks.mjs';
import { main, say } from './lib/say.mjs';

await main(async () => {
  await bootstrapSource();
  const write = process.argv.includes('--write');
  const failed = [];
  for (const check of Object.values(CHECKS).flat()) {
    say(`Checking ${check.name}…`);
    if (!(await check.run({ write }))) failed.push(check.name);
  }
  say(failed.length === 0 ? 'All checks passed.' : `Failed: ${failed.join(', ')}.`);
  return failed.length === 0 ? 0 : 1;
});
