import type { CORSRule } from '@aws-sdk/client-s3';
import type { CorsChange } from '../../port.ts';
import type { S3Api } from './client.ts';
import { httpStatus, providerCode, toStorageError } from './errors.ts';

/** How we know our own rule again. */
const RULE_ID = 'carcosa';
/** S3 takes no more for a bucket. */
const MAX_RULES = 100;
const METHODS = ['GET', 'HEAD', 'PUT'];
const MAX_AGE_SECONDS = 3600;

/** Lets pages of these origins upload straight to the bucket, by a rule beside those that are there. */
export async function allowOrigins(api: S3Api, origins: readonly string[]): Promise<CorsChange> {
  let rules: CORSRule[] = [];
  try {
    rules = await readRules(api);
    const merged = withOurRule(rules, origins);
    const [rule] = merged;
    if (merged.length > MAX_RULES)
      return refused('The bucket has 100 CORS rules already, which is all that S3 takes.', rule);
    const command = new api.sdk.PutBucketCorsCommand({
      Bucket: api.config.bucket,
      CORSConfiguration: { CORSRules: merged },
    });
    await api.client.send(command);
    return { done: true, message: 'The rule is set. Some providers take a minute until they follow it.', rule };
  } catch (error) {
    return refused(reasonOf(error), withOurRule(rules, origins)[0]);
  }
}

/**
 * The rules with ours as the first: S3 follows the first that fits, and one before it might not expose ETag. Ours therefore also has the
 * origins that it had, and exposes what the others expose to any of its origins, so that nothing is taken from anybody. All others stay
 * as they are, in their order.
 */
export function withOurRule(rules: readonly CORSRule[], origins: readonly string[]): CORSRule[] {
  const former = rules.find(({ ID }) => ID === RULE_ID);
  const others = rules.filter((rule) => rule !== former);
  const allowed = [...new Set([...(former?.AllowedOrigins ?? []), ...origins])];
  const shadowed = others.filter(({ AllowedOrigins = [] }) =>
    AllowedOrigins.some((pattern) => allowed.some((origin) => originMatches(pattern, origin))),
  );
  const exposed = [former, ...shadowed].flatMap((rule) => rule?.ExposeHeaders ?? []);
  const ours: CORSRule = {
    ID: RULE_ID,
    AllowedOrigins: allowed,
    AllowedMethods: [...new Set([...METHODS, ...(former?.AllowedMethods ?? [])])],
    AllowedHeaders: ['*'],
    ExposeHeaders: uniqueHeaders(['ETag', ...exposed]),
    MaxAgeSeconds: former?.MaxAgeSeconds ?? MAX_AGE_SECONDS,
  };
  return [ours, ...others];
}

/** Whether an origin is one that the pattern of a rule means: it may have one "*". */
export function originMatches(pattern: string, origin: string): boolean {
  const star = pattern.indexOf('*');
  if (star < 0) return pattern === origin;
  const [start, end] = [pattern.slice(0, star), pattern.slice(star + 1)];
  return origin.length >= start.length + end.length && origin.startsWith(start) && origin.endsWith(end);
}

async function readRules(api: S3Api): Promise<CORSRule[]> {
  try {
    const answer = await api.client.send(new api.sdk.GetBucketCorsCommand({ Bucket: api.config.bucket }));
    return answer.CORSRules ?? [];
  } catch (error) {
    if (providerCode(error) === 'NoSuchCORSConfiguration') return [];
    throw error;
  }
}

function refused(reason: string, rule: CORSRule | undefined): CorsChange {
  return { done: false, message: `${reason} Whoever may change the bucket sets this rule there.`, rule };
}

function reasonOf(error: unknown): string {
  const [code, status] = [providerCode(error), httpStatus(error)];
  if (status === 403)
    return `Our key may not change the CORS rules (${code}): it needs s3:GetBucketCORS and s3:PutBucketCORS.`;
  if (status === 501 || status === 405 || status === 400)
    return `The provider does not let CORS rules be set in this way (${code}).`;
  const known = toStorageError(error);
  return known instanceof Error ? known.message : 'The provider does not answer.';
}

/** Names of headers are alike in upper and lower case. */
function uniqueHeaders(names: readonly string[]): string[] {
  return [...new Map(names.map((name) => [name.toLowerCase(), name])).values()];
}
