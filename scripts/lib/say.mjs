/** A failure whose cause is known: its message is the whole of what a person needs, so no stack is shown. */
export class KnownFailure extends Error {}

/** Prints a line of progress. Standard error, so that what a command answers stays alone on standard output. */
export function say(line) {
  process.stderr.write(`${line}\n`);
}

/**
 * Runs the body of a command. A {@link KnownFailure} becomes one line and exit code 1; anything else is a defect and keeps its
 * stack. A number that the body returns is the exit code.
 */
export async function main(body) {
  try {
    const code = await body();
    if (typeof code === 'number') process.exitCode = code;
  } catch (error) {
    if (!(error instanceof KnownFailure)) throw error;
    say(error.message);
    process.exitCode = 1;
  }
}
