import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bench } from '../harness/bench.ts';
import { run } from '../harness/commands.ts';
import { freePort, ServerProcess } from '../harness/server-process.ts';

/** `filters`: whether pictures are shrunk under `/filtered/{width}/`. */
export type Nginx = { readonly server: ServerProcess; readonly root: string; readonly filters: boolean };

const FILTER_MODULE = '/usr/lib/nginx/modules/ngx_http_image_filter_module.so';

/**
 * nginx serving `<workspace>/nginx/root` and taking PUT and DELETE there, one worker a core. Null where it cannot be had.
 * `tcp_nopush` is off: with it, the last part of an answer waits up to 40 ms for a delayed acknowledgement on loopback.
 * @param options.pictures a directory of JPEG files for the module image_filter, which is Debian's libnginx-mod-http-image-filter
 */
export async function startNginx(bench: Bench, options: { pictures?: string } = {}): Promise<Nginx | null> {
  const program = await bench.program('nginx');
  if (program === null) return null;
  const folder = bench.workspace.directory('nginx');
  const root = join(folder, 'root');
  mkdirSync(root);
  const port = await freePort();
  const configFile = join(folder, 'nginx.conf');
  const { pictures } = options;
  const filters = pictures !== undefined && (await hasFilter());
  writeFileSync(configFile, configuration(folder, root, port, filters ? pictures : null));
  const server = await ServerProcess.start({
    name: 'nginx',
    program,
    args: ['-c', configFile, '-p', folder, '-e', join(folder, 'error.log')],
    port,
    logFile: bench.workspace.logFile('nginx'),
  });
  return { server: bench.keep(server), root, filters };
}

/** Installs the module where it is missing and we may. */
async function hasFilter(): Promise<boolean> {
  if (!existsSync(FILTER_MODULE) && process.getuid?.() === 0) {
    const install = [
      'DEBIAN_FRONTEND=noninteractive',
      'RUNLEVEL=1',
      'apt-get',
      'install',
      '-y',
      '--no-install-recommends',
    ];
    await run('env', [...install, 'libnginx-mod-http-image-filter']).catch(() => {});
  }
  if (!existsSync(FILTER_MODULE)) console.log('  image_filter of nginx could not be had: measured without it');
  return existsSync(FILTER_MODULE);
}

function configuration(folder: string, root: string, port: number, pictures: string | null): string {
  // Started by root, its workers would otherwise change to a user who may not write here.
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${join(folder, kind)};`)
    .join('\n  ');
  const filter = `location ~ ^/filtered/(\\d+)/(.+)$ {
      alias ${pictures}/$2;
      image_filter resize $1 -;
      image_filter_jpeg_quality 80;
      image_filter_buffer 32M;
    }`;
  return `${user}
${pictures === null ? '' : `load_module ${FILTER_MODULE};`}
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
    ${pictures === null ? '' : filter}
  }
}
`;
}
