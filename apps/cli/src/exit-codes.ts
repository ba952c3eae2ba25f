import { CarcosaError, type CarcosaErrorCode } from '@carcosa/sdk';

/** What the command ends with; docs/cli.md tells them. */
export const EXIT = {
  ok: 0,
  failed: 1,
  /** The command was called wrongly. */
  usage: 2,
  notFound: 3,
  /** No credential, a wrong one, or one that may not. */
  refused: 4,
  /** The server could not be reached, or was too busy for too long. */
  unavailable: 5,
  /** Too large, of a type that is not taken, over a quota, at a path that is taken: another input is needed. */
  rejected: 6,
  /** Some of several did not work. */
  partial: 7,
} as const;

/** Something that a person can mend, and how. */
export class CommandFailure extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number = EXIT.failed) {
    super(message);
    this.exitCode = exitCode;
  }
}

const REFUSED: readonly CarcosaErrorCode[] = [
  'unauthenticated',
  'forbidden',
  'invalid_credentials',
  'signature_invalid',
];
const USAGE: readonly CarcosaErrorCode[] = ['invalid_argument', 'invalid_request', 'invalid_path', 'source_unreadable'];

export function exitCodeOf(error: unknown): number {
  if (error instanceof CommandFailure) return error.exitCode;
  if (!(error instanceof CarcosaError)) return EXIT.failed;
  const { code, status = 0 } = error;
  if (code === 'not_found') return EXIT.notFound;
  if (REFUSED.includes(code)) return EXIT.refused;
  if (USAGE.includes(code)) return EXIT.usage;
  if (code === 'network_error' || status === 429 || status >= 500) return EXIT.unavailable;
  return status >= 400 ? EXIT.rejected : EXIT.failed;
}
