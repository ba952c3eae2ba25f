import { start } from './boot/start.ts';
import { reseal } from './commands/reseal.ts';
import { verifyAuditChains } from './commands/verify-audit.ts';

const [command, ...args] = process.argv.slice(2);
if (command === undefined) await start();
else if (command === 'reseal') process.exitCode = await reseal();
else if (command === 'verify-audit') process.exitCode = await verifyAuditChains(args);
else {
  process.stderr.write(
    `There is no command "${command}": give none to start the server, "reseal" or "verify-audit".\n`,
  );
  process.exitCode = 1;
}
