// The command as one runs it by hand: from a file to a file, once for each request.
import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import { promisify } from 'node:util';

const run = promisify(execFile);
const { FILE = '', TARGET = '', PORT } = process.env;

const COMMAND = [
  ...[
    '-v',
    'error',
    '-nostdin',
    '-y',
    '-i',
    FILE,
    '-map',
    '0:v:0',
    '-vf',
    'scale=trunc(iw/2)*2:trunc(ih/2)*2,format=yuv420p',
  ],
  ...[
    '-c:v',
    'libx264',
    '-preset',
    'veryfast',
    '-crf',
    '23',
    '-map',
    '0:a:0',
    '-c:a',
    'aac',
    '-b:a',
    '128k',
    '-ac',
    '2',
  ],
  ...['-map_metadata', '-1', '-f', 'mp4', '-movflags', '+faststart', TARGET],
];

createServer((request, response) => {
  if (request.url !== '/make') {
    // Whoever waits for the server asks for nothing.
    response.end();
    return;
  }
  run('ffmpeg', COMMAND).then(
    () => response.end('made'),
    (error: unknown) => response.writeHead(500).end(String(error)),
  );
}).listen(Number(PORT), '127.0.0.1');
