import { type Random, randomToken } from '@carcosa/kernel';

/** Characters of [0-9A-Za-z] in `/f/{key}`: 143 random bits, which nobody guesses. */
const FILE_KEY_LENGTH = 24;

export function newFileKey(random: Random): string {
  return randomToken(random, FILE_KEY_LENGTH);
}
