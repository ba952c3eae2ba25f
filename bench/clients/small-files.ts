/**
 * Load client in a process of its own: COUNT requests with a body of SIZE random bytes, CONNECTIONS at a time over kept-alive
 * sockets, written by hand because an HTTP client costs as much as the server that is measured. Prints one line of JSON.
 */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

export type SmallFilesPlan = {
  readonly port: number;
  readonly method: string;
  /** `{n}` is replaced by the number of the request, in six digits. */
  readonly path: string;
  /** `{n}` likewise, and `{n64}` by its base64, which continues the base64 of a text whose length is a multiple of three. */
  readonly headers: Readonly<Record<string, string>>;
  readonly count: number;
  readonly size: number;
  readonly connections: number;
  readonly expected: number;
};

export type SmallFilesReport = {
  readonly seconds: number;
  /** Of each 100th request the ids that the answer named, to look some of them up afterwards. */
  readonly samples: readonly { readonly n: number; readonly head: string; readonly body: string }[];
};

const END_OF_HEAD = '\r\n\r\n';
const SAMPLE_EVERY = 100;

const plan = JSON.parse(process.argv[2] ?? '{}') as SmallFilesPlan;
const samples: { n: number; head: string; body: string }[] = [];
const body = randomBytes(plan.size);
const headLines = Object.entries({ Host: `127.0.0.1:${plan.port}`, 'Content-Length': plan.size, ...plan.headers })
  .map(([name, value]) => `${name}: ${value}\r\n`)
  .join('');
let next = 0;

/** The first 8 bytes differ in each file, so that no two have the same content. */
function write(socket: Socket, n: number): void {
  const digits = String(n).padStart(6, '0');
  const headers = headLines.replaceAll('{n}', digits).replaceAll('{n64}', btoa(digits));
  const target = plan.path.replaceAll('{n}', digits);
  socket.cork();
  socket.write(`${plan.method} ${target} HTTP/1.1\r\n${headers}\r\n`, 'latin1');
  const content = Buffer.from(body);
  content.writeBigUInt64LE(BigInt(n));
  socket.write(content);
  socket.uncork();
}

/** Length of the whole answer in `text` (latin1), null while it is not all there. */
function answerLength(text: string): number | null {
  const head = text.indexOf(END_OF_HEAD);
  if (head === -1) return null;
  const begin = head + END_OF_HEAD.length;
  const length = /^content-length: (\d+)/im.exec(text.slice(0, head));
  if (length) return text.length >= begin + Number(length[1]) ? begin + Number(length[1]) : null;
  if (!/^transfer-encoding: chunked/im.test(text.slice(0, head))) return begin;
  const end = text.indexOf('0\r\n\r\n', begin);
  return end === -1 ? null : end + 5;
}

function check(text: string, n: number): void {
  const status = Number(text.slice(9, 12));
  if (status !== plan.expected) throw new Error(`request ${n} answered ${text.slice(0, 500)}`);
  if (n % SAMPLE_EVERY !== 0) return;
  const head = text.indexOf(END_OF_HEAD);
  samples.push({ n, head: text.slice(0, head), body: text.slice(head + END_OF_HEAD.length) });
}

function worker(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: plan.port, noDelay: true });
    let current = -1;
    let received = '';
    const advance = () => {
      current = next++;
      if (current < plan.count) return write(socket, current);
      socket.end();
      resolve();
    };
    socket.setEncoding('latin1').once('connect', advance).once('error', reject);
    socket.once('close', () => reject(new Error('the server closed the connection')));
    socket.on('data', (text: string) => {
      received += text;
      const length = answerLength(received);
      if (length === null) return;
      try {
        check(received.slice(0, length), current);
      } catch (error) {
        reject(error);
        return;
      }
      received = received.slice(length);
      advance();
    });
  });
}

const begin = performance.now();
await Promise.all(Array.from({ length: plan.connections }, worker));
const report: SmallFilesReport = { seconds: (performance.now() - begin) / 1000, samples };
console.log(JSON.stringify(report));
process.exit(0);
