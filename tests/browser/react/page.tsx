import {
  CarcosaProvider,
  generateReactHelpers,
  Image,
  UploadButton,
  UploadDropzone,
  useFile,
  useUnfinishedUploads,
  useUpload,
  Video,
} from '@carcosa/react';
import { createCarcosa, createRouteClient } from '@carcosa/sdk';
import { useMemo, useState } from 'react';
import { createRoot } from 'react-dom/client';

/** What the address of the page says. */
const query = new URLSearchParams(location.search);
const carcosa = createCarcosa({
  url: query.get('url') ?? '',
  apiKey: query.get('key') ?? '',
  projectId: query.get('project') ?? '',
  parallelParts: 1,
});
Object.assign(window, { carcosa, createRouteClient });

const GERMAN = {
  chooseMany: 'Dateien wählen',
  drop: 'oder hier ablegen',
  cancel: 'Abbrechen',
  action: (action: string, name: string) => `${name}: ${action}`,
};

type Router = { avatar: { $types: { input: { album: string }; output: { by: string } } } };
const routed = generateReactHelpers<Router>({ url: '/api/upload' });

function Shown({ id }: { id: string }) {
  const { data, error, isLoading } = useFile(id);
  return <p id="shown">{isLoading ? '…' : (data?.path ?? error?.code)}</p>;
}

function Single() {
  const { upload, state, progress, result } = useUpload((file: File) => carcosa.upload(file, { path: 'single.bin' }));
  return (
    <p id="single" data-state={state}>
      <input
        type="file"
        aria-label="single"
        onChange={(event) => event.target.files?.[0] && void upload(event.target.files[0])}
      />
      {progress?.bytes} {result?.path}
    </p>
  );
}

function Unfinished() {
  const { data, resume, refresh } = useUnfinishedUploads();
  return (
    <div id="unfinished">
      <button type="button" onClick={refresh}>
        Look again
      </button>
      <ul>
        {data?.map((upload) => (
          <li key={upload.id}>
            {upload.path}
            <input
              type="file"
              aria-label={`continue ${upload.path}`}
              onChange={(event) => event.target.files?.[0] && resume(upload, event.target.files[0])}
            />
          </li>
        ))}
      </ul>
    </div>
  );
}

function Page() {
  const [picture, setPicture] = useState<string>();
  const [all, setAll] = useState(0);
  const [by, setBy] = useState('');
  const part = query.get('part') ?? 'dropzone';
  const labels = useMemo(() => (query.has('german') ? GERMAN : {}), []);
  return (
    <CarcosaProvider client={carcosa} labels={labels}>
      {part === 'dropzone' && (
        <UploadDropzone
          folders={query.has('folders')}
          options={(_file, path) => ({ path: `drop/${path}` })}
          onUploaded={(file) => setPicture(file.path)}
          onComplete={(files) => setAll(files.length)}
        />
      )}
      {part === 'button' && <UploadButton accept="text/*" options={(file) => ({ path: `button/${file.name}` })} />}
      {part === 'route' && (
        <routed.UploadDropzone
          route="avatar"
          input={{ album: 'a' }}
          onUploaded={({ serverData }) => setBy(serverData?.by ?? 'stored')}
        />
      )}
      {part === 'single' && <Single />}
      {part === 'unfinished' && <Unfinished />}
      {query.has('id') && <Shown id={query.get('id') ?? ''} />}
      {part === 'picture' && (
        <>
          <Image src="picture.png" alt="A red field" width={200} height={100} placeholder="blur" priority />
          <Image src="picture.png" alt="" sizes="50vw" widths={[100, 200]} priority />
          <Video
            src={{ url: `${query.get('url')}/f/none`, contentType: 'video/mp4' }}
            captions={[{ src: '/c.vtt', language: 'en', label: 'English' }]}
          />
        </>
      )}
      <output id="all">{all}</output>
      <output id="last">{picture}</output>
      <output id="by">{by}</output>
    </CarcosaProvider>
  );
}

createRoot(document.getElementById('root') as HTMLElement).render(<Page />);
