import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { ScanVerdict, VirusScanner } from '@carcosa/domain';

/** Milliseconds without a word from clamd, or without it taking more, after which it is given up. */
const SILENCE_MS = 60_000;
/** Bytes of a chunk: clamd keeps each in memory. */
const CHUNK_BYTES = 128 * 1024;
const MAX_ANSWER_BYTES = 4096;

/**
 * Has contents scanned by clamd of ClamAV, by its INSTREAM command (clamd(8)): each chunk with its length before it, in four bytes, and an
 * empty one at the end. Nothing is written to a disk on the way.
 */
export class ClamdScanner implements VirusScanner {
  readonly #address: { path: string } | { host: string; port: number };

  /** @param address `host:port`, or the absolute path of a socket */
  constructor(address: string) {
    if (address.startsWith('/')) {
      this.#address = { path: address };
      return;
    }
    const colon = address.lastIndexOf(':');
    this.#address = { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) };
  }

  async scan(body: AsyncIterable<Uint8Array>, { signal }: { signal: AbortSignal }): Promise<ScanVerdict> {
    const socket = connect(this.#address);
    socket.setTimeout(SILENCE_MS, () => socket.destroy(new Error('clamd does not answer')));
    const abort = (): void => void socket.destroy(new Error('the scan was called off'));
    signal.addEventListener('abort', abort);
    // Heard from the start: of what is too large clamd says so in the middle, and hangs up.
    const answer = new Answer(socket);
    try {
      await once(socket, 'connect');
      await send(socket, body);
      await answer.whole;
      return verdictOf(answer.text);
    } catch (error) {
      if (answer.text !== '') return verdictOf(answer.text);
      throw error;
    } finally {
      signal.removeEventListener('abort', abort);
      socket.destroy();
    }
  }
}

/** What clamd says: up to a NUL, or until it hangs up. */
class Answer {
  readonly whole: Promise<void>;
  #text = '';

  constructor(socket: Socket) {
    this.whole = new Promise((resolve, reject) => {
      socket.on('data', (chunk: Buffer) => {
        this.#text = (this.#text + chunk.toString('utf8')).slice(0, MAX_ANSWER_BYTES);
        if (this.#text.includes('\0')) resolve();
      });
      socket.on('end', resolve);
      socket.on('error', reject);
      socket.on('close', () => reject(new Error('clamd has hung up')));
    });
    this.whole.catch(() => {});
  }

  get text(): string {
    return this.#text.replace(/\0.*$/s, '').trim();
  }
}

async function send(socket: Socket, body: AsyncIterable<Uint8Array>): Promise<void> {
  await write(socket, Buffer.from('zINSTREAM\0'));
  for await (const chunk of body) {
    for (let at = 0; at < chunk.length; at += CHUNK_BYTES) {
      const part = chunk.subarray(at, at + CHUNK_BYTES);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(part.length);
      await write(socket, length);
      await write(socket, part);
    }
  }
  await write(socket, Buffer.alloc(4));
}

async function write(socket: Socket, bytes: Uint8Array): Promise<void> {
  if (socket.writableEnded || socket.destroyed) throw new Error('clamd has closed the connection');
  if (!socket.write(bytes)) await Promise.race([once(socket, 'drain'), once(socket, 'close')]);
}

/** @throws Error for an answer that says nothing of the content */
function verdictOf(answer: string): ScanVerdict {
  if (answer === 'stream: OK') return { result: 'clean' };
  const signature = /^stream: (.+) FOUND$/.exec(answer)?.[1];
  if (signature) return { result: 'infected', signature };
  if (answer.includes('size limit exceeded'))
    return { result: 'unscannable', reason: 'larger than the scanner takes (StreamMaxLength of clamd)' };
  throw new Error(`clamd has answered: ${answer === '' ? 'nothing' : answer}`);
}
