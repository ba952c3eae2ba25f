import { generateUploadButton } from '@uploadthing/react';
import { useState } from 'react';
import { createRoot } from 'react-dom/client';
import type { AppRouter } from './server.ts';

const UploadButton = generateUploadButton<AppRouter>();

function App() {
  const [said, setSaid] = useState('');
  return (
    <main>
      <UploadButton
        endpoint="anything"
        onClientUploadComplete={(files) => setSaid(`${files[0]?.name} by ${files[0]?.serverData?.uploadedBy}`)}
        onUploadError={(error) => setSaid(error.message)}
      />
      <output>{said}</output>
    </main>
  );
}

createRoot(document.getElementById('root') as HTMLElement).render(<App />);
