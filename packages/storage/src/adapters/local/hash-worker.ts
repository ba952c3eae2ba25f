import { createHash, type Hash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import type { HashCommand, HashReply } from './hash-protocol.ts';

// Runs in a worker thread: follows behind files as they are written and hashes what is there, so that hashing takes a second
// core and none of the thread that serves sockets. Files are read back from the page cache; no bytes cross threads.

interface Stream {
  fd: number;
  hash: Hash;
  position: number;
  /** Bytes that are written and may be read. */
  available: number;
  /** Length at which the digest is wanted. */
  end: number | null;
}

const port = parentPort;
if (!port) throw new Error('hash-worker runs as a worker thread');

const streams = new Map<number, Stream>();
// One turn: long enough to be worth the call, short enough that a newcomer does not wait behind a large file.
const buffer = Buffer.allocUnsafeSlow(1024 * 1024);
let scheduled = false;

port.on('message', (command: HashCommand) => {
  switch (command.type) {
    case 'open':
      open(command.id, command.path);
      break;
    case 'advance':
      advance(command.id, command.available);
      break;
    case 'finish':
      finish(command.id, command.length);
      break;
    case 'close':
      close(command.id);
      break;
  }
});

function open(id: number, path: string): void {
  try {
    streams.set(id, { fd: openSync(path, 'r'), hash: createHash('sha256'), position: 0, available: 0, end: null });
  } catch (error) {
    fail(id, error);
  }
}

function advance(id: number, available: number): void {
  const stream = streams.get(id);
  if (!stream) return;
  stream.available = Math.max(stream.available, available);
  schedule();
}

function finish(id: number, length: number): void {
  const stream = streams.get(id);
  // Begun in a worker that died: the caller starts again.
  if (!stream) return fail(id, new Error('nothing is known of this file'));
  stream.available = length;
  stream.end = length;
  schedule();
}

function close(id: number): void {
  const stream = streams.get(id);
  if (!stream) return;
  streams.delete(id);
  closeSync(stream.fd);
}

function schedule(): void {
  if (scheduled) return;
  scheduled = true;
  setImmediate(turn);
}

/** Hashes one buffer of each stream that has something to read, then lets messages in. */
function turn(): void {
  scheduled = false;
  for (const [id, stream] of streams) {
    try {
      step(id, stream);
    } catch (error) {
      close(id);
      fail(id, error);
    }
  }
}

function step(id: number, stream: Stream): void {
  const wanted = Math.min(buffer.length, stream.available - stream.position);
  if (wanted > 0) {
    const read = readSync(stream.fd, buffer, 0, wanted, stream.position);
    if (read === 0) throw new Error(`the file ends at ${stream.position}, before ${stream.available}`);
    stream.hash.update(read === buffer.length ? buffer : buffer.subarray(0, read));
    stream.position += read;
  }
  if (stream.position < stream.available) schedule();
  else if (stream.end === stream.position) {
    close(id);
    send({ type: 'digest', id, sha256: stream.hash.digest('hex') });
  }
}

function fail(id: number, error: unknown): void {
  send({ type: 'failed', id, message: error instanceof Error ? error.message : String(error) });
}

function send(reply: HashReply): void {
  port?.postMessage(reply);
}
