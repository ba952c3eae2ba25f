/** @tus/server with its file store, as its documentation sets it up. It neither syncs nor hashes. */
import { FileStore } from '@tus/file-store';
import { Server } from '@tus/server';

const server = new Server({ path: '/files', datastore: new FileStore({ directory: process.env.ROOT ?? '' }) });
server.listen(Number(process.env.PORT), '127.0.0.1');
