#!/usr/bin/env node
import { type Command, CommanderError } from 'commander';
import { readEnvironment } from './config.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { Output } from './lib/output.ts';
import { createProgram } from './program.ts';

const program = createProgram(readEnvironment());
const all = (command: Command): Command[] => [command, ...command.commands.flatMap((each) => all(each as Command))];
for (const command of all(program)) command.exitOverride();
try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = endOf(error);
}

function endOf(error: unknown): number {
  // It has said itself what is wrong, or was asked for help.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const isJson = process.argv.includes('--json');
  new Output(isJson, process.stdout, process.stderr).failure(error as Error);
  return exitCodeOf(error);
}
