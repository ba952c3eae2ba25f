import { createUploadRouter, f, UploadError } from '@carcosa/file-router';
import { z } from 'zod';

export const router = createUploadRouter({
  picture: f({ image: { maxFileSize: '8MB', maxFileCount: 4, maxWidth: 8000 } }, { visibility: 'public' })
    .input(z.object({ album: z.string().min(1) }))
    .middleware(({ input }) => {
      // Here your app looks who it is: by a cookie of `request`, say.
      if (input.album === 'closed') throw new UploadError('This album is closed.');
      return { userId: 'somebody', album: input.album };
    })
    .onUploadComplete(({ metadata, file }) => {
      console.log(`${metadata.userId} put ${file.name} into ${metadata.album}`);
      return { album: metadata.album, hash: file.fileHash };
    }),
});
