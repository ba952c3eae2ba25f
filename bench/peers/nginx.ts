import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from '../harness/bench.ts';
import { freePort, ServerProcess } from '../harness/server-process.ts';

export type Nginx = { readonly server: ServerProcess; readonly root: string };

/**
 * nginx serving `<workspace>/nginx/root` and taking PUT and DELETE there, one worker a core. Null where it cannot be had.
 * `tcp_nopush` is off: with it, the last part of an answer waits up to 40 ms for a delayed acknowledgement on loopback.
 */
export async function startNginx(bench: Bench): Promise<Nginx | null> {
  const program = await bench.program('nginx');
  if (program === null) return null;
  const folder = bench.workspace.directory('nginx');
  const root = join(folder, 'root');
  mkdirSync(root);
  const port = await freePort();
  const configFile = join(folder, 'nginx.conf');
  writeFileSync(configFile, configuration(folder, root, port));
  const server = await ServerProcess.start({
    name: 'nginx',
    program,
    args: ['-c', configFile, '-p', folder, '-e', join(folder, 'error.log')],
    port,
    logFile: bench.workspace.logFile('nginx'),
  });
  return { server: bench.keep(server), root };
}

function configuration(folder: string, root: string, port: number): string {
  // Started by root, its workers would otherwise change to a user who may not write here.
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${join(folder, kind)};`)
    .join('\n  ');
  return `${user}
daemon off;
worker_processes auto;
pid ${join(folder, 'nginx.pid')};
events { worker_connections 512; }
http {
  access_log off;
  sendfile on;
  tcp_nopush off;
  keepalive_requests 1000000;
  default_type application/octet-stream;
  ${temporary}
  server {
    listen 127.0.0.1:${port};
    root ${root};
    client_max_body_size 0;
    location / { dav_methods PUT DELETE; create_full_put_path on; }
  }
}
`;
}
