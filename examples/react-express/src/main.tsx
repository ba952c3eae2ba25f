import { generateReactHelpers } from '@carcosa/react';
import { useState } from 'react';
import { createRoot } from 'react-dom/client';
import type { router } from '../router.ts';
import '@carcosa/react/styles.css';

const { UploadDropzone } = generateReactHelpers<typeof router>({ url: '/api/upload' });

function App() {
  const [pictures, setPictures] = useState<{ url: string; album: string }[]>([]);
  return (
    <main>
      <h1>Pictures</h1>
      <UploadDropzone
        route="picture"
        input={{ album: 'holiday' }}
        onUploaded={({ url, serverData }) => setPictures((all) => [...all, { url, album: serverData.album }])}
      />
      {pictures.map(({ url, album }) => (
        <figure key={url}>
          <img src={url} alt="" width="240" />
          <figcaption>in {album}</figcaption>
        </figure>
      ))}
    </main>
  );
}

createRoot(document.getElementById('root') as HTMLElement).render(<App />);
