import { pipeline, Readable, Transform } from 'node:stream';
import type * as Sdk from '@aws-sdk/client-s3';
import { CarcosaError } from '@carcosa/kernel';
import type { ResolvedS3Config } from './config.ts';

/** Makes the SDK's client for one bucket, set up for servers that are not AWS's too. */
export function connect(sdk: typeof Sdk, config: ResolvedS3Config, endpoint: string | undefined): Sdk.S3Client {
  const agent = { keepAlive: true, maxSockets: config.maxSockets };
  const agents = config.guard?.agents(agent);
  const client = new sdk.S3Client({
    region: config.region,
    forcePathStyle: config.pathStyle,
    maxAttempts: config.maxAttempts,
    // "standard" waits longer after SlowDown, and as long as Retry-After says.
    retryMode: 'standard',
    // The SDK's own checksums come as trailers that most third-party servers store as content.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // It would cost a round trip and a new connection for each part.
    expectContinueHeader: false,
    requestHandler: {
      connectionTimeout: config.connectTimeout,
      socketTimeout: config.idleTimeout,
      httpAgent: agents?.http ?? agent,
      httpsAgent: agents?.https ?? agent,
    },
    ...(endpoint ? { endpoint } : {}),
    ...(config.credentials ? { credentials: config.credentials } : {}),
  });
  trustContentMd5(client);
  if (config.guard) boundAnswers(client);
  return client;
}

/** Bodies whose MD5 is among the signed headers need no SHA-256 in the signature as well: it would take as long again. */
function trustContentMd5(client: Sdk.S3Client): void {
  client.middlewareStack.add(
    (next) => (args) => {
      const { request } = args as { request?: { headers?: Record<string, string> } };
      if (request?.headers?.['content-md5']) request.headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD';
      return next(args);
    },
    { step: 'build', name: 'trustContentMd5', priority: 'low' },
  );
}

/** Most bytes of an answer that is no object: several times what the longest list takes. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

/** Answers that the SDK reads whole end when they are too long: who names the endpoint may also have written what answers there. */
function boundAnswers(client: Sdk.S3Client): void {
  client.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        const result = await next(args);
        const response = result.response as { statusCode?: number; body?: unknown };
        const isObject = commandName === 'GetObjectCommand' && (response.statusCode ?? 500) < 300;
        if (!isObject && response.body instanceof Readable) response.body = bounded(response.body);
        return result;
      },
    { step: 'deserialize', name: 'boundAnswers', priority: 'low' },
  );
}

function bounded(body: Readable): Readable {
  let length = 0;
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      length += chunk.length;
      const tooLong = length > MAX_ANSWER_BYTES;
      const message = 'The bucket answers with more than an S3 provider does: check its endpoint.';
      done(tooLong ? new CarcosaError('storage_misconfigured', { message }) : null, chunk);
    },
  });
  // Whoever reads what was counted learns of each failure there.
  return pipeline(body, counted, () => {});
}
