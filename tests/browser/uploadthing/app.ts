// An app as its developers wrote it for UploadThing: nothing in it knows of Carcosa. It runs as a process of its own, with an environment.
import express from 'express';
import { createRouteHandler, createUploadthing, type FileRouter } from 'uploadthing/express';
import { UploadThingError, UTApi, UTFile } from 'uploadthing/server';
import { z } from 'zod';

const f = createUploadthing();
const happened: { hook: string; slug: string; metadata?: unknown; file?: unknown; error?: string }[] = [];

const router = {
  images: f({ image: { maxFileSize: '16MB', maxFileCount: 4 }, blob: { maxFileSize: '64MB', maxFileCount: 4 } })
    .input(z.object({ album: z.string().min(1) }))
    .middleware(({ req, input }) => {
      if (req.headers['x-user'] === undefined) throw new UploadThingError('You are not logged in');
      return { userId: String(req.headers['x-user']), album: input.album };
    })
    .onUploadError(({ error, fileKey }) => {
      happened.push({ hook: 'error', slug: 'images', error: `${fileKey}: ${error.message}` });
    })
    .onUploadComplete(({ metadata, file }) => {
      happened.push({ hook: 'callback', slug: 'images', metadata, file: { key: file.key, fileHash: file.fileHash } });
      return { uploadedBy: metadata.userId, album: metadata.album, hash: file.fileHash };
    }),
  secrets: f({ blob: { maxFileSize: '1MB', acl: 'private' } })
    .middleware(() => ({}))
    .onUploadComplete(({ file }) => ({ key: file.key })),
  silent: f({ blob: { maxFileSize: '1MB' } }, { awaitServerData: false })
    .middleware(() => ({}))
    .onUploadComplete(({ file }) => {
      happened.push({ hook: 'callback', slug: 'silent', file: { key: file.key, fileHash: file.fileHash } });
    }),
} satisfies FileRouter;
export type AppRouter = typeof router;

const utapi = new UTApi({ logLevel: 'None' });
type Call = (...args: unknown[]) => Promise<unknown>;

const app = express();
app.use('/api/uploadthing', createRouteHandler({ router, config: { logLevel: 'None' } }));
app.get('/happened', (_request, response) => void response.json(happened));
app.get(
  '/',
  (_request, response) =>
    void response
      .type('html')
      .send('<!doctype html><meta charset=utf-8><div id=root></div><script src=/page.js></script>'),
);
app.get('/page.js', (_request, response) => void response.sendFile(process.env.APP_PAGE ?? ''));
app.post('/utapi/:method', express.json(), (request, response) => {
  const { method } = request.params;
  const args = (request.body as unknown[]).map((arg) => {
    const upload = arg as { upload?: { name: string; content: string; customId?: string } } | null;
    if (typeof arg !== 'object' || !upload?.upload) return arg;
    const { name, content, customId } = upload.upload;
    return new UTFile([content], name, customId === undefined ? {} : { customId });
  });
  const call = (utapi as unknown as Record<string, Call>)[method];
  call?.apply(utapi, args).then(
    (result) => response.json({ result }),
    (error: Error) => response.status(500).json({ error: error.message }),
  );
});
const listener = app.listen(0, '127.0.0.1', () => {
  const address = listener.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  process.stdout.write(`http://localhost:${port}\n`);
});
