import type * as Sdk from '@aws-sdk/client-s3';
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
