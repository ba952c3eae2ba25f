import { start } from './boot/start.ts';
import { reseal } from './commands/reseal.ts';

const [command] = process.argv.slice(2);
if (command === undefined) await start();
else if (command === 'reseal') process.exitCode = await reseal();
else {
  process.stderr.write(`There is no command "${command}": give none to start the server, or "reseal".\n`);
  process.exitCode = 1;
}
