import { redactText } from '@carcosa/domain';

const EMAIL = /[^\s<>"'(),:;@[\]]+@[^\s<>"'(),:;@[\]]+\.[^\s<>"'(),:;@[\]]+/g;
const IPV4 = /\b\d{1,3}(?:\.\d{1,3}){3}\b/g;
const IPV6 = /(?<![\w:])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?![\w:])/gi;
/** What a message quotes is what somebody has sent: names, paths, values. Also where it was cut off. */
const QUOTED = /(?<!\w)'[^']*(?:'|$)|(?<!\w)"[^"]*(?:"|$)|(?<!\w)`[^`]*(?:`|$)/g;
/** Where a path of the disk begins. */
const PATH = /(?<![\w:/.])\/(?:[^\s/:,'"`]+\/)+[^\s:,'"`]*/g;
const MAX_LENGTH = 1000;
/** Characters that are looked at: the forms above take the square of it at worst. */
const MAX_LOOK = 2000;

/** A message without secrets, addresses of people and machines, and whatever users chose. */
export function scrub(text: string): string {
  return redactText(shortened(text))
    .replace(EMAIL, '[e-mail]')
    .replace(QUOTED, "'…'")
    .replace(PATH, '[path]')
    .replace(IPV4, '[address]')
    .replace(IPV6, '[address]')
    .slice(0, MAX_LENGTH);
}

/** Without a part of a word at its end: half an address has no form. */
function shortened(text: string): string {
  return text.length <= MAX_LOOK ? text : text.slice(0, MAX_LOOK).replace(/\S{1,512}$/, '');
}
