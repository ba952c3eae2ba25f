import { statSync } from 'node:fs';
import type { Carcosa, StoredFile } from './carcosa.ts';
import { type CurlRequest, curl, curlAll } from './clients.ts';
import type { Workspace } from './workspace.ts';

/** Each way in, as the claims time it: seconds from the first request to the last acknowledgement, and the file made. */
export type Upload = { readonly seconds: number; readonly file: StoredFile };

/** `fileId` is empty where the server is not ours. */
export type TusUpload = { readonly seconds: number; readonly location: string; readonly fileId: string };

const OCTETS = { 'Content-Type': 'application/octet-stream' };

const base64 = (text: string) => Buffer.from(text).toString('base64');

/** tus: POST creates the upload, one PATCH by curl carries the whole file. */
export async function tusUpload(
  endpoint: string,
  source: string,
  headers: Readonly<Record<string, string>>,
): Promise<TusUpload> {
  const begin = performance.now();
  const created = await fetch(endpoint, {
    method: 'POST',
    headers: {
      ...headers,
      'Tus-Resumable': '1.0.0',
      'Upload-Length': String(statSync(source).size),
      'Upload-Metadata': `filename ${base64('video.bin')},filetype ${base64(OCTETS['Content-Type'])}`,
    },
  });
  if (created.status !== 201) throw new Error(`POST ${endpoint} answered ${created.status}: ${await created.text()}`);
  const creation = (performance.now() - begin) / 1000;
  const location = new URL(created.headers.get('location') ?? '', endpoint).href;
  const patch: CurlRequest = {
    url: location,
    method: 'PATCH',
    file: source,
    headers: {
      ...headers,
      'Tus-Resumable': '1.0.0',
      'Upload-Offset': '0',
      'Content-Type': 'application/offset+octet-stream',
    },
  };
  const { seconds, fileId } = await curl(patch, 204);
  return { seconds: creation + seconds, location, fileId };
}

/** The whole body in one request. */
export async function simpleUpload(carcosa: Carcosa, source: string, path: string): Promise<Upload> {
  const url = `${carcosa.url}/api/v1/files?path=${encodeURIComponent(path)}`;
  const headers = { ...carcosa.authorization, ...OCTETS };
  const { seconds, body } = await curl({ url, method: 'POST', file: source, headers, keepBody: true }, 201);
  const { data } = JSON.parse(body) as { data: StoredFile };
  return { seconds, file: data };
}

type Init = { uploadId: string; partSize?: number };
type Part = { partNumber: number; url: string; headers: Record<string, string> };

/** Direct: init, all parts from one keep-alive client with `parallel` in flight, complete. */
export async function directUpload(
  carcosa: Carcosa,
  workspace: Workspace,
  options: { size: number; path: string; parallel: number },
): Promise<Upload> {
  const json = { fileName: 'video.bin', path: options.path, size: options.size, contentType: OCTETS['Content-Type'] };
  const init = async () => (await carcosa.call<Init>('POST', '/api/v1/uploads/init', 201, { json })).data;
  // The client has its file in parts before the clock starts: the part size is the server's, so it is asked first.
  const probe = await init();
  await carcosa.call('DELETE', `/api/v1/uploads/${probe.uploadId}`, 204);
  const partSize = probe.partSize ?? options.size;
  const files = await workspace.parts(options.size, partSize);
  const begin = performance.now();
  const { uploadId } = await init();
  const partNumbers = files.map((_, index) => index + 1);
  const signed = await carcosa.call<{ parts: Part[] }>('POST', `/api/v1/uploads/${uploadId}/parts`, 200, {
    json: { partNumbers },
  });
  const requests = signed.data.parts.map(({ url, headers, partNumber }) => {
    return { url, headers, method: 'PUT', file: files[partNumber - 1] ?? '' };
  });
  const answers = await curlAll(requests, options.parallel);
  const refused = answers.find(({ status }) => status !== 200);
  if (refused) throw new Error(`PUT ${refused.url} answered ${refused.status}`);
  const etags = new Map(answers.map(({ url, etag }) => [url, etag]));
  const parts = requests.map(({ url }, index) => ({ partNumber: index + 1, etag: etags.get(url) ?? '' }));
  const { data } = await carcosa.call<StoredFile>('POST', `/api/v1/uploads/${uploadId}/complete`, 200, {
    json: { parts },
  });
  return { seconds: (performance.now() - begin) / 1000, file: data };
}
