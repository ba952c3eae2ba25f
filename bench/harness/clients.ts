import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, which } from './commands.ts';

/** The clients must cost little, so that the server is what is measured: curl for large bodies, wrk for many requests. */

export type CurlRequest = {
  readonly url: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as the body, streamed from disk. */
  readonly file?: string;
  /** The answer's body is handed back; otherwise it is thrown away. */
  readonly keepBody?: boolean;
};

export type CurlAnswer = {
  readonly url: string;
  readonly status: number;
  /** From the start of the connection to the last byte of the answer, without curl's own start. */
  readonly seconds: number;
  readonly bytesReceived: number;
  readonly etag: string;
  /** Of the file that our tus door has made. */
  readonly fileId: string;
  /** Empty unless asked for. */
  readonly body: string;
};

/** Ends each answer's line; no body that we keep holds this. */
const MARK = '@@answer@@';
const WRITE_OUT = `\\n${MARK}%{http_code}\\t%{time_total}\\t%{size_download}\\t%header{etag}\\t%header{carcosa-file-id}\\t%{url}\\n`;

/** Makes one request with curl and throws the answer's body away. */
export async function curl(request: CurlRequest, expected: number): Promise<CurlAnswer> {
  const [answer] = await curlAll([request], 1);
  if (answer?.status !== expected) throw new Error(`${request.url} answered ${answer?.status}, not ${expected}`);
  return answer;
}

/** Makes requests with one curl, so over kept-alive connections: one after another, or `parallel` at a time. */
export async function curlAll(requests: readonly CurlRequest[], parallel: number): Promise<CurlAnswer[]> {
  const program = which('curl');
  if (program === null) throw new Error('curl could not be had');
  const config = [
    'silent',
    'show-error',
    // Parallel transfers would otherwise each wait to see whether the server speaks HTTP/2 on the first connection.
    ...(parallel > 1 ? ['parallel', `parallel-max = ${parallel}`, 'parallel-immediate'] : []),
    requests.map(requestConfig).join('\nnext\n'),
  ].join('\n');
  const output = await run(program, ['--config', '-'], { input: `${config}\n` });
  return parseAnswers(output);
}

function requestConfig(request: CurlRequest): string {
  return [
    'http1.1',
    'max-time = 300',
    ...(request.keepBody ? [] : ['output = "/dev/null"']),
    `write-out = "${WRITE_OUT}"`,
    // curl would wait up to a second for "100 Continue" from servers that do not send it.
    'header = "Expect:"',
    ...Object.entries(request.headers ?? {}).map(([name, value]) => `header = "${name}: ${value}"`),
    ...(request.method ? [`request = "${request.method}"`] : []),
    ...(request.file ? [`upload-file = "${request.file}"`] : []),
    `url = "${request.url}"`,
  ].join('\n');
}

/** Each answer is its body, if that was kept, followed by a marked line. */
function parseAnswers(output: string): CurlAnswer[] {
  const answers: CurlAnswer[] = [];
  let body: string[] = [];
  for (const line of output.split('\n')) {
    if (!line.startsWith(MARK)) {
      body.push(line);
      continue;
    }
    const [status, seconds, bytes, etag = '', fileId = '', url = ''] = line.slice(MARK.length).split('\t');
    const figures = { status: Number(status), seconds: Number(seconds), bytesReceived: Number(bytes) };
    answers.push({ ...figures, url, etag, fileId, body: body.join('\n') });
    body = [];
  }
  return answers;
}

export type WrkOptions = {
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** A Lua script that makes the requests. */
  readonly script?: string;
};

/** Requests a second by wrk with one thread. Throws when any answer was no success: a fast refusal is no work. */
export async function wrk(program: string, options: WrkOptions): Promise<number> {
  const headers = Object.entries(options.headers ?? {}).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const script = options.script ? ['-s', options.script] : [];
  const load = ['-t1', `-c${options.connections}`, `-d${options.seconds}s`];
  const output = await run(program, [...load, ...headers, ...script, options.url]);
  const bad = /Non-2xx or 3xx responses: (\d+)/.exec(output);
  const broken = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(output);
  if (bad || broken) throw new Error(`wrk saw ${bad?.[0] ?? ''} ${broken?.[0] ?? ''}`.trim());
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1] ?? Number.NaN);
}

/** A Lua script beside the logs that asks for `length` bytes at random offsets of a file of `size` bytes. */
export function rangeScript(folder: string, size: number, length: number): string {
  const path = join(folder, `ranges-${length}-of-${size}.lua`);
  writeFileSync(
    path,
    `math.randomseed(42)
request = function()
  local first = math.random(0, ${size - length})
  wrk.headers["Range"] = string.format("bytes=%d-%d", first, first + ${length - 1})
  return wrk.format("GET", nil)
end
`,
  );
  return path;
}
