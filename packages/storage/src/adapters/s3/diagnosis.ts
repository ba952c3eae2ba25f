import { Buffer } from 'node:buffer';
import { buffer } from 'node:stream/consumers';
import { isCarcosaError, type Random, randomToken } from '@carcosa/kernel';
import type { BucketRight, CorsChange, DiagnosisCapability, Examination, RightFinding } from '../../port.ts';
import { S3Api } from './client.ts';
import type { ResolvedS3Config } from './config.ts';
import { connect } from './connection.ts';
import { allowOrigins } from './cors.ts';
import { httpStatus, providerCode } from './errors.ts';
import type { Layout } from './layout.ts';
import { contentOf } from './part-buffer.ts';
import { plainRequest } from './plain-request.ts';

/** A person waits for the answer: what does not come at once is said instead of tried for long. */
const PATIENCE = { maxAttempts: 2, connectTimeout: 5_000, idleTimeout: 10_000 };
const RIGHTS: readonly BucketRight[] = ['put', 'get', 'list', 'delete', 'multipart', 'presigned', 'cors'];
/** Seconds for which a presigned address of ours is good. */
const EXPIRES_IN = 60;

/** What providers call it when no request of ours can succeed. */
const HOPELESS: Record<string, string> = {
  NoSuchBucket: 'There is no bucket of that name: create it, or correct the name or the endpoint.',
  InvalidBucketName: 'The provider takes the name of the bucket for invalid.',
  InvalidAccessKeyId: 'The provider does not know the access key id.',
  SignatureDoesNotMatch: 'The secret access key is not that of the access key id.',
  AuthorizationHeaderMalformed: 'The region is not that of the bucket.',
  PermanentRedirect: 'The bucket is in another region, or wants another endpoint.',
  RequestTimeTooSkewed: 'The clock of this server is more than a few minutes wrong.',
  ExpiredToken: 'The credentials have expired.',
  InvalidToken: 'The provider does not accept the credentials.',
};

/** Finds out what a bucket lets us do by doing it. */
export class S3Diagnosis implements DiagnosisCapability {
  readonly #config: ResolvedS3Config;
  readonly #layout: Layout;
  readonly #random: Random;

  constructor(parts: { config: ResolvedS3Config; layout: Layout; random: Random }) {
    this.#config = { ...parts.config, ...PATIENCE };
    this.#layout = parts.layout;
    this.#random = parts.random;
  }

  async examine({ origins }: { origins: readonly string[] }): Promise<Examination> {
    return await this.#withApi(async (api) => {
      const list = await attempt('list', ['s3:ListBucket'], async () => {
        for await (const _ of api.list(this.#layout.probe(''))) break;
      });
      if (list.hopeless)
        return { problem: list.hopeless, rights: RIGHTS.map((right) => unknown(right, 'Nothing could be tried.')) };
      const probe = new Probe(api, this.#layout.probe(randomToken(this.#random, 20)));
      try {
        const rights = [list, ...(await probe.objects()), await probe.multipart(), ...(await probe.presigned(origins))];
        rights.sort((one, other) => RIGHTS.indexOf(one.right) - RIGHTS.indexOf(other.right));
        return { problem: null, rights: rights.map(plain) };
      } finally {
        await probe.cleanUp();
      }
    });
  }

  async allowOrigins(origins: readonly string[]): Promise<CorsChange> {
    return await this.#withApi((api) => allowOrigins(api, origins));
  }

  async #withApi<Result>(work: (api: S3Api) => Promise<Result>): Promise<Result> {
    const api = await S3Api.open(this.#config);
    try {
      return await work(api);
    } finally {
      api.close();
    }
  }
}

interface Attempt extends RightFinding {
  /** Set when it failed in a way in which everything will. */
  hopeless?: string;
}

/** One examination: what it makes lies under keys that begin with `key`, and goes at its end. */
class Probe {
  readonly #api: S3Api;
  readonly #key: string;
  readonly #content = contentOf(Buffer.from('Carcosa examines what it may do in this bucket; this can be removed.\n'));
  #mayPut = false;
  #mayDelete = false;

  constructor(api: S3Api, key: string) {
    this.#api = api;
    this.#key = key;
  }

  async objects(): Promise<Attempt[]> {
    const [api, key, content] = [this.#api, this.#key, this.#content];
    const put = await attempt('put', ['s3:PutObject'], () => api.put(key, content));
    this.#mayPut = put.status === 'granted';
    const get = await attempt('get', ['s3:GetObject'], async () => {
      // Of what is not there, a provider says so to who may read.
      if (!this.#mayPut) return void (await api.get(`${key}-absent`).catch(isGone));
      const { body, size } = await api.get(key);
      // What is longer is not read to its end, whoever sends it.
      if (size !== content.bytes.length) body.destroy(new Error('other bytes came back than were put'));
      if (!(await buffer(body)).equals(content.bytes)) throw new Error('other bytes came back than were put');
    });
    const remove = await attempt('delete', ['s3:DeleteObject'], () => api.delete(key));
    this.#mayDelete = remove.status === 'granted';
    if (!this.#mayDelete && this.#mayPut)
      remove.message += ` What was tried stays there as "${key}…": remove it by hand.`;
    // Who may not put cannot tell from a refusal whether it is the absence of the object that is kept from it.
    return [
      put,
      this.#mayPut || get.status === 'granted' ? get : unknown('get', 'Nothing could be put there to read back.'),
      remove,
    ];
  }

  async multipart(): Promise<Attempt> {
    const [api, key, content] = [this.#api, `${this.#key}-parts`, this.#content];
    if (!this.#mayPut) return unknown('multipart', 'It needs the right to put objects.');
    let id = '';
    const steps = [
      await attempt('multipart', ['s3:PutObject'], async () => {
        id = await api.createMultipart(key);
        await api.uploadPart(key, id, 1, content);
      }),
    ];
    if (id === '') return steps[0] as Attempt;
    steps.push(
      await attempt('multipart', ['s3:ListMultipartUploadParts'], async () => {
        if ((await api.listParts(key, id))?.length !== 1) throw new Error('the part that was sent is not listed');
      }),
      await attempt('multipart', ['s3:ListBucketMultipartUploads'], () => api.listMultiparts(key)),
      await attempt('multipart', ['s3:AbortMultipartUpload'], () => api.abortMultipart(key, id)),
    );
    return worstOf(steps);
  }

  /** Also how pages of these origins would fare, each by a request of the browser's own and by its preflight. */
  async presigned(origins: readonly string[]): Promise<Attempt[]> {
    const waits = 'It needs the right to put objects.';
    if (!this.#mayPut) return [unknown('presigned', waits), unknown('cors', waits)];
    const url = await presignedPut(this.#api, `${this.#key}-presigned`, this.#content.bytes.length);
    const send = (method: string, headers: Record<string, string>, body?: Buffer) =>
      plainRequest(this.#api.config, url, { method, headers, ...(body ? { body } : {}) });
    const presigned = await attempt('presigned', ['s3:PutObject'], async () => {
      const { status } = await send('PUT', {}, this.#content.bytes);
      if (status >= 300) throw refusedBy(status);
    });
    if (presigned.status !== 'granted') return [presigned, unknown('cors', 'Presigned addresses do not work.')];
    const problems: string[] = [];
    for (const origin of origins) {
      const asked = {
        origin,
        'access-control-request-method': 'PUT',
        'access-control-request-headers': 'content-type',
      };
      const preflight = await send('OPTIONS', asked).catch(() => null);
      const answer = await send('PUT', { origin }, this.#content.bytes).catch(() => null);
      const problem = corsProblem(origin, preflight?.headers ?? {}, answer?.headers ?? {}, preflight?.status ?? 0);
      if (problem) problems.push(`${origin}: ${problem}`);
    }
    return [presigned, corsFinding(origins, problems)];
  }

  async cleanUp(): Promise<void> {
    if (!this.#mayDelete) return;
    // What cannot be removed now is small, and under a name that says what it is.
    for (const end of ['', '-parts', '-presigned']) await this.#api.delete(this.#key + end).catch(() => {});
  }
}

async function presignedPut(api: S3Api, key: string, size: number): Promise<string> {
  const { getSignedUrl } = await import('@aws-sdk/s3-request-presigner');
  const { endpoint, publicEndpoint } = api.config;
  const signer = endpoint === publicEndpoint ? api.client : connect(api.sdk, api.config, publicEndpoint);
  const command = new api.sdk.PutObjectCommand({ ...api.at(key), ContentLength: size });
  try {
    return await getSignedUrl(signer, command, {
      expiresIn: EXPIRES_IN,
      signableHeaders: new Set(['host', 'content-length']),
    });
  } finally {
    if (signer !== api.client) signer.destroy();
  }
}

/** In the form of the SDK's errors. */
function refusedBy(status: number): Error {
  const error = new Error(`a request to a presigned address was answered with ${status}`);
  return Object.assign(error, { name: `Http${status}`, $metadata: { httpStatusCode: status } });
}

/** What a browser would complain of (Fetch, "CORS check" and "CORS-preflight fetch"); null for nothing. */
function corsProblem(
  origin: string,
  preflight: Record<string, string>,
  answer: Record<string, string>,
  preflightStatus: number,
): string | null {
  const allows = ({ 'access-control-allow-origin': allowed }: Record<string, string>) =>
    allowed === '*' || allowed === origin;
  const lists = (text: string | undefined, name: string) =>
    (text ?? '').split(',').some((each) => [name.toLowerCase(), '*'].includes(each.trim().toLowerCase()));
  if (preflightStatus < 200 || preflightStatus > 299 || !allows(preflight)) return 'the origin is not allowed';
  if (!lists(preflight['access-control-allow-methods'], 'PUT')) return 'PUT is not allowed';
  if (!lists(preflight['access-control-allow-headers'], 'content-type'))
    return 'the header Content-Type is not allowed';
  if (!allows(answer)) return 'the origin is not allowed';
  return lists(answer['access-control-expose-headers'], 'ETag') ? null : 'the header ETag is not exposed';
}

function corsFinding(origins: readonly string[], problems: readonly string[]): RightFinding {
  if (origins.length === 0) return unknown('cors', 'No origin was named.');
  if (problems.length === 0)
    return { right: 'cors', status: 'granted', message: `Pages of ${origins.join(', ')} may upload.`, actions: [] };
  return {
    right: 'cors',
    status: 'missing',
    message: `Browsers cannot upload straight to the bucket (${problems.join('; ')}). Let Carcosa set the rule, or set it at the provider.`,
    actions: ['s3:GetBucketCORS', 's3:PutBucketCORS'],
  };
}

async function attempt(right: BucketRight, actions: string[], work: () => Promise<unknown>): Promise<Attempt> {
  try {
    await work();
    return { right, status: 'granted', message: 'It works.', actions: [] };
  } catch (thrown) {
    const error = thrown as Error;
    const cause = error.cause ?? error;
    const code = providerCode(cause);
    const status = httpStatus(cause);
    const hopeless = hopelessReason(error, code, status);
    if (status === 403 && !HOPELESS[code]) {
      return {
        right,
        status: 'missing',
        message: `The provider refuses it (${code}): allow ${actions.join(', ')}.`,
        actions,
      };
    }
    const message = HOPELESS[code] ?? `It could not be tried: ${error.message}`;
    return { right, status: 'unknown', message, actions: [], ...(hopeless ? { hopeless } : {}) };
  }
}

/** Why no other request will fare better: wrong settings, no way there, or a failure of the provider's own. */
function hopelessReason(error: Error, code: string, status: number | undefined): string | undefined {
  const isLost = isCarcosaError(error) && (status === undefined || status >= 500);
  return HOPELESS[code] ?? (isLost ? error.message : undefined);
}

/** Of several steps of one thing: what is missing before what is unknown, with all that is missing. */
function worstOf(steps: readonly Attempt[]): Attempt {
  const missing = steps.filter(({ status }) => status === 'missing');
  const [first] = missing;
  if (!first) return steps.find(({ status }) => status === 'unknown') ?? (steps[0] as Attempt);
  const actions = missing.flatMap((step) => step.actions);
  return { ...first, actions, message: `The provider refuses a part of it: allow ${actions.join(', ')}.` };
}

function unknown(right: BucketRight, message: string): RightFinding {
  return { right, status: 'unknown', message, actions: [] };
}

function plain({ hopeless: _, ...finding }: Attempt): RightFinding {
  return finding;
}

function isGone(error: unknown): void {
  const code = providerCode((error as Error).cause);
  if (code !== 'NoSuchKey' && code !== 'NotFound') throw error;
}
