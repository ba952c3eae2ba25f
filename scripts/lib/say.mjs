/** A failure whose cause is known: its message is the whole of what a person needs, so no stack is shown. */
export class KnownFailure extends Error {
  /** What the process ends with. */
  exitCode = 1;
}

/** Somebody asked us to stop: there is nothing to explain. */
export class Interrupted extends KnownFailure {
  /** @param {number} exitCode as a shell would give it: 128 and the number of the signal */
  constructor(exitCode) {
    super('');
    this.exitCode = exitCode;
  }
}

/** Prints a line of progress. Standard error, so that what a command answers stays alone on standard output. */
export function say(line) {
  process.stderr.write(`${line}\n`);
}

/**
 * Runs the body of a command. A {@link KnownFailure} becomes one line and its exit code; anything else is a defect and keeps its
 * stack. A number that the body returns is the exit code.
 */
export async function main(body) {
  try {
    const code = await body();
    if (typeof code === 'number') process.exitCode = code;
  } catch (error) {
    if (!(error instanceof KnownFailure)) throw error;
    if (error.message) say(error.message);
    process.exitCode = error.exitCode;
  }
}
