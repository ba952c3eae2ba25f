import { createServer } from 'node:http';
import { createRouteHandler } from '@carcosa/file-router/express';
import react from '@vitejs/plugin-react';
import express from 'express';
import { createServer as createVite } from 'vite';
import { announce, findCarcosa, PORT } from '../local.ts';
import { router } from './router.ts';

const { url, apiKey } = findCarcosa();
const app = express();
const server = createServer(app);
// In development nobody can call this machine: the app is told of uploads by a stream that it holds open.
app.use('/api/upload', createRouteHandler({ router, url, apiKey, isDev: true }));
const vite = await createVite({
  root: import.meta.dirname,
  configFile: false,
  logLevel: 'error',
  plugins: [react()],
  server: { middlewareMode: { server }, hmr: { server } },
  optimizeDeps: { include: ['react', 'react-dom/client'] },
});
app.use(vite.middlewares);
server.listen(PORT, '127.0.0.1', () => announce(server.address()));
