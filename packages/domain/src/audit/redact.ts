/** What stands where a secret was. */
export const REDACTED = '[redacted]';

/** Words that make the name of a field that of a secret, in lower case and without separators. */
const SECRET_WORDS =
  /passw|passphrase|passcode|pwd|secret|token|credential|authorization|cookie|privatekey|apikey|accesskey|signingkey|encryptionkey|signature|recoverycode|backupcode|totp|^otp|otp$|otpcode/;

/** Names that have such a word and are no secret: ids, versions and times of one. */
const HARMLESS_NAMES =
  /^(?:(?:api|signing)?key|(?:api|tenant)?(?:key|token)|session)(?:ids?|version|expiresat|lastusedat|count|label)$/;

/** Secrets that are known by their form, wherever they stand in a text. */
const SECRET_FORMS: readonly RegExp[] = [
  // API keys, also when they were cut at the end.
  /sk_[0-9A-Za-z]{8,32}_[0-9A-Za-z]{8,}/g,
  /whsec_[0-9A-Za-z+/=_-]{8,}/g,
  // JSON Web Tokens: a header that begins with `{"`, a payload, and maybe a signature.
  /eyJ[0-9A-Za-z_-]{6,}\.[0-9A-Za-z_-]+(?:\.[0-9A-Za-z_-]*)?/g,
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?/g,
  // Passwords in addresses, and what follows telling names in queries and headers.
  /(?<=:\/\/[^\s/?#@:]{0,256}:)[^\s/?#@]+(?=@)/g,
  /(?<=\b(?:bearer|basic)\s{1,4})[0-9A-Za-z+/=._~-]{8,}/gi,
  /(?<=[?&;](?:[a-z0-9_.-]{0,64}(?:signature|token|secret|password|credential)[a-z0-9_.-]{0,64})=)[^\s&#;]+/gi,
];

/** Whether what stands under this name is a secret by its name. */
export function isSecretName(name: string): boolean {
  const plain = name.toLowerCase().replace(/[^a-z0-9]/g, '');
  return SECRET_WORDS.test(plain) && !HARMLESS_NAMES.test(plain);
}

/** Characters of a text that are looked at; of those behind them nothing is shown. */
const MAX_LOOK = 64 * 1024;

/** The text, up to 64 Ki characters of it, without the secrets in it that are known by their form. */
export function redactText(text: string): string {
  let redacted = text.slice(0, MAX_LOOK);
  for (const form of SECRET_FORMS) redacted = redacted.replace(form, REDACTED);
  return redacted;
}
