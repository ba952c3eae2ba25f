import { createHash, type Hash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import type { DiskCommand, DiskReply, SmallFile } from './disk-worker-protocol.ts';
import { SmallFileWriter } from './small-file-writer.ts';

// Runs in a worker thread, so that another core than that of the sockets does two things. It hashes large uploads: from shared
// memory while the bytes are on their way to the disk, or from the file where they are no longer in memory. And it stores small
// files whole, those that come together sharing one sync.

type Work = { type: 'slot'; slot: number; length: number } | { type: 'file'; position: number } | { type: 'finish' };

interface Stream {
  path: string;
  /** Opened when the file is first read. */
  fd: number | null;
  hash: Hash;
  position: number;
  work: Work[];
}

const port = parentPort;
if (!port) throw new Error('disk-worker runs as a worker thread');
const { memory, slotSize, owner } = workerData as {
  memory: SharedArrayBuffer;
  slotSize: number;
  owner: string | null;
};

const streams = new Map<number, Stream>();
const smallFiles = new SmallFileWriter({ owner: owner ?? '', now: () => performance.now() });
/** Small files that came since the last turn. */
let toStore: SmallFile[] = [];
let readBuffer: Buffer | null = null;
let scheduled = false;

port.on('message', (command: DiskCommand) => {
  if (command.type === 'store') {
    toStore.push(...command.files);
    return schedule();
  }
  if (command.type === 'settle') {
    void smallFiles.settleAll(command.directory).then(() => send({ type: 'settled', id: command.id }));
    return;
  }
  if (command.type === 'open') {
    streams.set(command.id, { path: command.path, fd: null, hash: createHash('sha256'), position: 0, work: [] });
    return;
  }
  const stream = streams.get(command.id);
  if (command.type === 'close') return close(command.id);
  if (stream) {
    stream.work.push(command);
    return schedule();
  }
  // A stream that failed, or was begun in a worker that died.
  if (command.type === 'slot') send({ type: 'hashed', slot: command.slot });
  if (command.type === 'finish') fail(command.id, new Error('nothing is known of this file'));
});

function schedule(): void {
  if (scheduled) return;
  scheduled = true;
  setImmediate(turn);
}

/** Does one piece of work of each stream, then lets messages in: no stream waits behind a long one. */
function turn(): void {
  scheduled = false;
  if (toStore.length > 0) storeAll();
  for (const [id, stream] of streams) {
    try {
      step(id, stream);
    } catch (error) {
      close(id);
      fail(id, error);
    }
  }
}

function storeAll(): void {
  const group = toStore;
  toStore = [];
  const { stored, refused } = smallFiles.store(group);
  send({ type: 'stored', ids: stored.map(({ id }) => id) });
  for (const [{ id }, error] of refused) {
    const { code = 'EIO', message } = error as NodeJS.ErrnoException;
    send({ type: 'refused', id, code, message });
  }
}

function step(id: number, stream: Stream): void {
  const [work] = stream.work;
  if (!work) return;
  if (work.type === 'slot') {
    stream.hash.update(new Uint8Array(memory, work.slot * slotSize, work.length));
    stream.position += work.length;
    stream.work.shift();
    send({ type: 'hashed', slot: work.slot });
  } else if (work.type === 'file') {
    readOn(stream, work.position);
    if (stream.position >= work.position) stream.work.shift();
  } else {
    const sha256 = stream.hash.digest('hex');
    close(id);
    send({ type: 'digest', id, sha256 });
    return;
  }
  if (stream.work.length > 0) schedule();
}

function readOn(stream: Stream, end: number): void {
  stream.fd ??= openSync(stream.path, 'r');
  readBuffer ??= Buffer.allocUnsafeSlow(slotSize);
  const wanted = Math.min(readBuffer.length, end - stream.position);
  if (wanted <= 0) return;
  const read = readSync(stream.fd, readBuffer, 0, wanted, stream.position);
  if (read === 0) throw new Error(`the file ends at ${stream.position}, before ${end}`);
  stream.hash.update(readBuffer.subarray(0, read));
  stream.position += read;
}

function close(id: number): void {
  const stream = streams.get(id);
  if (!stream) return;
  streams.delete(id);
  // Memory that nobody will hash any more must be given back all the same.
  for (const work of stream.work) if (work.type === 'slot') send({ type: 'hashed', slot: work.slot });
  if (stream.fd !== null) closeSync(stream.fd);
}

function fail(id: number, error: unknown): void {
  send({ type: 'failed', id, message: error instanceof Error ? error.message : String(error) });
}

function send(reply: DiskReply): void {
  port?.postMessage(reply);
}
