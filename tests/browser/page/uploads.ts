import AwsS3 from '@uppy/aws-s3';
import Uppy from '@uppy/core';
import Tus from '@uppy/tus';
import { Upload } from 'tus-js-client';

// What an app's page would have; bundled for the browser by the test. It leaves its functions on `window` for the test to call.

interface Outcome {
  ok: boolean;
  /** The file's id at Carcosa, where the door tells it. */
  fileId: string | null;
  progress: number[];
  error?: string;
}

const PART_SIZE = 16 * 1024 * 1024;

/** Bytes that the test can make again: no two places alike. */
function content(size: number, seed: number): File {
  const bytes = new Uint8Array(size);
  let state = seed >>> 0;
  for (let index = 0; index < size; index++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[index] = state >>> 24;
  }
  return new File([bytes], `picture ${seed} ü.bin`, { type: 'application/octet-stream' });
}

async function outcomeOf(
  uppy: Uppy,
  file: File,
  fileIdOf: () => string | null | Promise<string | null>,
): Promise<Outcome> {
  const progress: number[] = [];
  uppy.on('progress', (percent: number) => progress.push(percent));
  uppy.addFile({ name: file.name, type: file.type, data: file });
  let result = await uppy.upload();
  // As a person does who presses "retry".
  if (result?.failed?.length) result = await uppy.retryAll();
  const failed = result?.failed?.[0];
  if (failed) return { ok: false, fileId: null, progress, error: String(failed.error) };
  return { ok: true, fileId: await fileIdOf(), progress };
}

/** Uppy with its tus plug-in, straight to Carcosa. */
async function uppyTus(endpoint: string, apiKey: string, size: number, seed: number): Promise<Outcome> {
  let fileId: string | null = null;
  const uppy = new Uppy().use(Tus, {
    endpoint,
    headers: { authorization: `Bearer ${apiKey}` },
    chunkSize: 2 * 1024 * 1024,
    retryDelays: [0, 50, 100, 200, 400, 800, 1600],
    onAfterResponse: (_request, response) => {
      fileId = response.getHeader('Carcosa-File-Id') ?? fileId;
    },
  });
  return outcomeOf(uppy, content(size, seed), () => fileId);
}

/** Uppy with its S3 plug-in; the app's own backend signs, so that no key is in the page. */
async function uppyS3(size: number, seed: number): Promise<Outcome> {
  const file = content(size, seed);
  let key = '';
  let fileId: string | null = null;
  const ask = async (path: string, body: object) => {
    const response = await fetch(path, { method: 'POST', body: JSON.stringify(body) });
    if (!response.ok) throw new Error(await response.text());
    return response.json();
  };
  const uppy = new Uppy().use(AwsS3, {
    shouldUseMultipart: ({ size: bytes }: { size: number | null }) => (bytes ?? 0) >= PART_SIZE,
    getChunkSize: () => PART_SIZE,
    generateObjectKey: ({ name }: { name: string }) => {
      key = `${Math.random().toString(36).slice(2)}/${name}`;
      return key;
    },
    signRequest: (request: object) => ask('/sign', { ...request, size: file.size, type: file.type }),
  });
  return outcomeOf(uppy, file, async () => {
    fileId = (await ask('/finish', { key })).fileId;
    return fileId;
  });
}

/** tus-js-client, interrupted by the page itself after `stopAt` bytes, and continued by a second instance. */
async function tusTwice(
  endpoint: string,
  apiKey: string,
  size: number,
  seed: number,
  stopAt: number,
): Promise<Outcome> {
  const file = content(size, seed);
  const progress: number[] = [];
  let fileId: string | null = null;
  const options = {
    endpoint,
    chunkSize: 1024 * 1024,
    headers: { authorization: `Bearer ${apiKey}` },
    metadata: { filename: file.name, filetype: file.type },
    retryDelays: [0, 50, 100, 200],
    onAfterResponse: (_request: unknown, response: { getHeader(name: string): string | undefined }) => {
      fileId = response.getHeader('Carcosa-File-Id') ?? fileId;
    },
  };
  await new Promise<void>((resolve, reject) => {
    const first: Upload = new Upload(file, {
      ...options,
      onError: reject,
      onProgress: (sent: number) => {
        progress.push(sent);
        if (sent >= stopAt) void first.abort().then(() => resolve());
      },
    });
    first.start();
  });
  const second = new Upload(file, options);
  const [previous] = await second.findPreviousUploads();
  if (!previous) return { ok: false, fileId: null, progress, error: 'the browser remembers no upload' };
  second.resumeFromPreviousUpload(previous);
  await new Promise<void>((resolve, reject) => {
    second.options.onSuccess = () => resolve();
    second.options.onError = reject;
    second.start();
  });
  return { ok: true, fileId, progress };
}

Object.assign(window, { uppyTus, uppyS3, tusTwice });
