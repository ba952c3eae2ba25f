import { join } from 'node:path';
import { build } from 'esbuild';
import express from 'express';
import { createRouteHandler, createUploadthing, type FileRouter } from 'uploadthing/express';

const f = createUploadthing();
const router = {
  anything: f({ blob: { maxFileSize: '64MB', maxFileCount: 4 } })
    .middleware(() => ({ userId: 'somebody' }))
    .onUploadComplete(({ metadata, file }) => {
      console.log(`${metadata.userId} uploaded ${file.name}: ${file.ufsUrl}`);
      return { uploadedBy: metadata.userId };
    }),
} satisfies FileRouter;
export type AppRouter = typeof router;

const { outputFiles } = await build({
  entryPoints: [join(import.meta.dirname, 'page.tsx')],
  ...{ bundle: true, write: false, jsx: 'automatic', format: 'iife' },
  define: { 'process.env.NODE_ENV': '"production"' },
});
const PAGE =
  '<!doctype html><meta charset="utf-8"><title>UploadThing</title><div id="root"></div><script src="/page.js"></script>';

const app = express();
app.use('/api/uploadthing', createRouteHandler({ router }));
app.get('/page.js', (_request, response) => void response.type('js').send(outputFiles[0]?.text));
app.get('/', (_request, response) => void response.send(PAGE));
const listener = app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  console.log(`Open http://localhost:${(listener.address() as { port: number }).port}`);
});
