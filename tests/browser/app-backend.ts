import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { build } from 'esbuild';

/** What an app's backend does for Uppy's S3 plug-in: it holds the key, and speaks to Carcosa's direct door. */
export interface AppBackend {
  url: string;
  close(): Promise<void>;
}

interface SignRequest {
  method: string;
  key: string;
  uploadId?: string;
  partNumber?: number;
  size: number;
  type: string;
}

type Carcosa = (method: string, path: string, body?: unknown) => Promise<Record<string, unknown>>;

/** Serves the page and signs for it, with the key that only it knows. */
export async function startAppBackend(carcosaUrl: string, apiKey: string): Promise<AppBackend> {
  const script = await bundlePage();
  const uploadIds = new Map<string, string>();
  const fileIds = new Map<string, string>();
  const carcosa: Carcosa = async (method, path, body) => {
    const response = await fetch(`${carcosaUrl}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${apiKey}`, ...(body ? { 'content-type': 'application/json' } : {}) },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    const answer = (await response.json()) as { data: Record<string, unknown>; message?: string };
    if (!response.ok) throw new Error(`${path}: ${answer.message}`);
    return answer.data;
  };

  async function sign(base: string, request: SignRequest): Promise<{ url: string; headers?: Record<string, string> }> {
    const { method, key, uploadId, partNumber } = request;
    const own = (action: string) => ({
      url: `${base}/s3/${action}?${new URLSearchParams({ key, uploadId: uploadId ?? '', size: String(request.size), type: request.type })}`,
    });
    if (uploadId && partNumber) {
      const { parts } = (await carcosa('POST', `/uploads/${uploadId}/parts`, {
        partNumbers: [partNumber],
      })) as unknown as { parts: { url: string; headers: Record<string, string> }[] };
      return parts[0] as { url: string; headers: Record<string, string> };
    }
    if (uploadId) return own(method === 'GET' ? 'list' : method === 'POST' ? 'complete' : 'abort');
    if (method === 'POST') return own('create');
    const upload = await init(request);
    return {
      url: String(upload.url),
      headers: { 'content-type': request.type, ...(upload.headers as Record<string, string>) },
    };
  }

  async function init({ key, size, type }: Pick<SignRequest, 'key' | 'size' | 'type'>) {
    const upload = await carcosa('POST', '/uploads/init', {
      fileName: key.split('/').pop(),
      path: key,
      size,
      contentType: type,
    });
    uploadIds.set(key, String(upload.uploadId));
    return upload;
  }

  async function s3(action: string, query: URLSearchParams, body: string): Promise<string> {
    const key = query.get('key') ?? '';
    const uploadId = query.get('uploadId') ?? '';
    if (action === 'create') {
      const upload = await init({ key, size: Number(query.get('size')), type: query.get('type') ?? '' });
      return `<InitiateMultipartUploadResult><UploadId>${upload.uploadId}</UploadId></InitiateMultipartUploadResult>`;
    }
    if (action === 'list') {
      const { parts } = (await carcosa('GET', `/uploads/${uploadId}`)) as unknown as {
        parts: { partNumber: number; etag: string }[];
      };
      return `<ListPartsResult>${parts.map((part) => `<Part><PartNumber>${part.partNumber}</PartNumber><ETag>${part.etag}</ETag></Part>`).join('')}</ListPartsResult>`;
    }
    const parts = [...body.matchAll(/<PartNumber>(\d+)<\/PartNumber>\s*<ETag>(.*?)<\/ETag>/g)].map(
      ([, partNumber, etag]) => ({
        partNumber: Number(partNumber),
        etag: (etag ?? '').replaceAll('&quot;', '').replaceAll('"', ''),
      }),
    );
    const file = await carcosa('POST', `/uploads/${uploadId}/complete`, { parts });
    fileIds.set(key, String(file.id));
    return `<CompleteMultipartUploadResult><Location>${file.url}</Location><Bucket>b</Bucket><Key>${key}</Key><ETag>x</ETag></CompleteMultipartUploadResult>`;
  }

  async function finish(key: string): Promise<string> {
    const done = fileIds.get(key);
    return done ?? String((await carcosa('POST', `/uploads/${uploadIds.get(key)}/complete`, {})).id);
  }

  const server = createServer((request, response) => {
    void answer(request, response).catch((error: Error) => response.writeHead(500).end(error.message));
  });
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://app');
    const body = (await request.setEncoding('utf8').toArray()).join('');
    const base = `http://${request.headers.host}`;
    if (pathname === '/')
      response
        .setHeader('content-type', 'text/html')
        .end('<!doctype html><meta charset=utf-8><script src=/page.js></script>');
    else if (pathname === '/page.js') response.setHeader('content-type', 'text/javascript').end(script);
    else if (pathname === '/sign') response.end(JSON.stringify(await sign(base, JSON.parse(body))));
    else if (pathname === '/finish') response.end(JSON.stringify({ fileId: await finish(JSON.parse(body).key) }));
    else if (pathname.startsWith('/s3/'))
      response.setHeader('content-type', 'application/xml').end(await s3(pathname.slice(4), searchParams, body));
    else response.writeHead(404).end();
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function bundlePage(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [new URL('./page/uploads.ts', import.meta.url).pathname],
    bundle: true,
    format: 'iife',
    write: false,
    logLevel: 'error',
  });
  return outputFiles[0]?.text ?? '';
}
