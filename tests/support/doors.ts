import { directUpload } from './direct.ts';
import { postForm, put } from './files.ts';
import type { Server } from './server.ts';
import { tusUpload } from './tus.ts';
import type { FileInfo } from './wire.ts';

/** Puts `bytes` under `path` and gives the file once the server has acknowledged it. */
export type Door = (server: Server, path: string, bytes: Uint8Array) => Promise<FileInfo>;

const lastSegment = (path: string): string => path.split('/').at(-1) ?? path;

/** Every standard way in, for the tests that must hold for all of them. */
export const DOORS: Record<'form' | 'raw' | 'direct' | 'tus', Door> = {
  form: async (server, path, bytes) => (await postForm(server, bytes, { path, fileName: 'blob' })).data,
  raw: (server, path, bytes) => put(server, bytes, { path }),
  direct: (server, path, bytes) => directUpload(server, bytes, { path, fileName: lastSegment(path) }),
  tus: async (server, path, bytes) => {
    const id = await tusUpload(server, bytes, { filename: lastSegment(path), path });
    return (await server.api<FileInfo>('GET', `/files/${id}`)).data;
  },
};
export const DOOR_NAMES = Object.keys(DOORS) as (keyof typeof DOORS)[];
