// The app's page, with the real client of UploadThing.
import { generateReactHelpers, generateUploadButton } from '@uploadthing/react';
import { useState } from 'react';
import { createRoot } from 'react-dom/client';
import { genUploader } from 'uploadthing/client';
import type { AppRouter } from './app.ts';

const { useUploadThing } = generateReactHelpers<AppRouter>();
const UploadButton = generateUploadButton<AppRouter>();
const { createUpload } = genUploader<AppRouter>();

interface Outcome {
  files?: unknown;
  error?: string;
  progress: number[];
}
declare global {
  interface Window {
    send(size: number, user: string | null, album: string): Promise<Outcome>;
    sendWithPause(size: number): Promise<Outcome>;
    sendBroken(size: number, cut: boolean): Promise<Outcome>;
  }
}

/** As `content` of uploadthing.test.ts. */
function content(size: number, seed: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  let state = seed >>> 0;
  for (let index = 0; index < size; index++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}
const fileOf = (size: number) =>
  new File([content(size, size)], `Bild ${size} – ä.bin`, { type: 'application/x-thing' });

/** Who is logged in on this page. */
let user: string | null = null;

function App() {
  const [said, setSaid] = useState('');
  const progress: number[] = [];
  let problem = '';
  const { startUpload } = useUploadThing('images', {
    headers: (): Record<string, string> => (user === null ? {} : { 'x-user': user }),
    uploadProgressGranularity: 'fine',
    onUploadProgress: (percent) => progress.push(percent),
    onUploadError: (error) => {
      problem = error.message;
    },
  });
  window.send = async (size, name, album) => {
    user = name;
    const files = await startUpload([fileOf(size)], { album });
    return { files: plain(files), error: problem, progress };
  };
  return (
    <main>
      <p id="said">{said}</p>
      <UploadButton
        endpoint="images"
        input={{ album: 'by button' }}
        headers={{ 'x-user': 'button' }}
        onUploadError={(error) => setSaid(`error ${error.message} ${String(error.cause)}`)}
        onClientUploadComplete={(files) =>
          setSaid(`done ${files.map(({ name, serverData }) => `${name} by ${serverData?.uploadedBy}`).join()}`)
        }
      />
    </main>
  );
}
const plain = (files: unknown): unknown =>
  Array.isArray(files)
    ? files.map(({ key, name, size, ufsUrl, fileHash, serverData }) => ({
        key,
        name,
        size,
        ufsUrl,
        fileHash,
        serverData,
      }))
    : files;

window.sendWithPause = async (size) => {
  const progress: number[] = [];
  const file = fileOf(size);
  let paused = false;
  const upload = await createUpload('images', {
    files: [file],
    input: { album: 'paused' },
    headers: { 'x-user': 'u' },
    onUploadProgress: ({ progress: percent }) => {
      progress.push(percent);
      if (!paused && percent > 20) {
        paused = true;
        upload.pauseUpload(file);
        setTimeout(() => upload.resumeUpload(file), 50);
      }
    },
  });
  return { files: plain([await upload.done(file)]), progress };
};

window.sendBroken = async (size) => {
  const progress: number[] = [];
  const file = fileOf(size);
  const upload = await createUpload('images', {
    files: [file],
    input: { album: 'broken' },
    headers: { 'x-user': 'u' },
    onUploadProgress: ({ progress: percent }) => progress.push(percent),
  });
  const failure = await upload.done(file).then(
    () => '',
    (error: Error) => `it broke: ${error.message}`,
  );
  upload.resumeUpload(file);
  return { error: failure, progress };
};

createRoot(document.getElementById('root') as HTMLElement).render(<App />);
