import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { CommandFailure, EXIT } from '../exit-codes.ts';

/** Asks a person; what is typed is not shown where it is secret. @throws CommandFailure where nobody sits */
export async function ask(question: string, isSecret = false): Promise<string> {
  if (!process.stdin.isTTY) throw new CommandFailure(`${question} Nobody can be asked here: use options.`, EXIT.usage);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const prompt = createInterface({ input: process.stdin, output: isSecret ? silent : process.stderr, terminal: true });
  if (isSecret) process.stderr.write(`${question} `);
  try {
    return (await prompt.question(isSecret ? '' : `${question} `)).trim();
  } finally {
    prompt.close();
    if (isSecret) process.stderr.write('\n');
  }
}
