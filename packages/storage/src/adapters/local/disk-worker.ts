import { createHash, type Hash } from 'node:crypto';
import {
  closeSync,
  fdatasyncSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { giveBack } from '../../give-back.ts';
import type { DiskCommand, DiskReply, SmallFile } from './disk-worker-protocol.ts';

// Runs in a worker thread, so that another core than that of the sockets does two things. It hashes large uploads: from shared
// memory while the bytes are on their way to the disk, or from the file where they are no longer in memory. And it stores small
// files whole: eight calls of the file system for one message, those that come together sharing the syncs of their folders.

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
const { memory, slotSize } = workerData as { memory: SharedArrayBuffer; slotSize: number };

const streams = new Map<number, Stream>();
/** Small files that came since the last turn. */
let toStore: SmallFile[] = [];
let readBuffer: Buffer | null = null;
let scheduled = false;

port.on('message', (command: DiskCommand) => {
  if (command.type === 'store') {
    toStore.push(...command.files);
    return schedule();
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
  if (toStore.length > 0) storeGroup();
  for (const [id, stream] of streams) {
    try {
      step(id, stream);
    } catch (error) {
      close(id);
      fail(id, error);
    }
  }
}

/**
 * Each file by itself is whole or not there. All are written before the first is synced, so that one commit of the file system's
 * journal serves all of them, and the folders are synced once.
 */
function storeGroup(): void {
  const group = toStore;
  toStore = [];
  const folders = new Set<string>();
  const open = new Map<SmallFile, number>();
  const named: SmallFile[] = [];
  attemptEach(group, (file) => {
    open.set(file, writeOpen(file, folders));
  });
  attemptEach(open.keys(), (file) => {
    syncAndClose(open.get(file) as number);
    if (file.staged !== null) inFolder(file, folders, () => giveName(file.staged as string, file.target));
    folders.add(path.dirname(file.target));
    named.push(file);
  });
  const failure = syncFolders(folders);
  if (failure === null) send({ type: 'stored', ids: named.map(({ id }) => id) });
  else for (const { id } of named) refuse(id, failure);
}

function attemptEach(files: Iterable<SmallFile>, work: (file: SmallFile) => void): void {
  for (const file of files) {
    try {
      work(file);
    } catch (error) {
      refuse(file.id, error);
    }
  }
}

function refuse(id: number, error: unknown): void {
  const { code = 'EIO', message } = error as NodeJS.ErrnoException;
  send({ type: 'refused', id, code, message });
}

/** Writes a file that is not there yet; its descriptor is still open. */
function writeOpen(file: SmallFile, folders: Set<string>): number {
  const { staged, target, content } = file;
  const make = () => openSync(staged ?? target, 'wx', 0o640);
  const fd = staged === null ? inFolder(file, folders, make) : make();
  try {
    for (let done = 0; done < content.length; ) done += writeSync(fd, content, done, content.length - done, done);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  giveBack(content);
  return fd;
}

function syncAndClose(fd: number): void {
  try {
    fdatasyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Does `work`, and once more with the target's folder made where that was missing. */
function inFolder<Result>({ target }: SmallFile, folders: Set<string>, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    const folder = path.dirname(target);
    const first = mkdirSync(folder, { recursive: true, mode: 0o750 });
    // Each new folder is an entry of the one above.
    for (let made = folder; first !== undefined; made = path.dirname(made)) {
      folders.add(path.dirname(made));
      if (made === first) break;
    }
    return work();
  }
}

/** Gives the first failure, or null. */
function syncFolders(folders: Iterable<string>): unknown {
  let failure: unknown = null;
  for (const folder of folders) {
    try {
      syncFolder(folder);
    } catch (error) {
      failure ??= error;
    }
  }
  return failure;
}

/**
 * Gives the file its name, never in the place of another: a writer that slept through the end of its lease must not replace what
 * its successor has stored.
 */
function giveName(staged: string, target: string): void {
  try {
    linkSync(staged, target);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // File systems without hard links have no such rename either.
    if (code !== 'EPERM' && code !== 'ENOTSUP') throw error;
    renameSync(staged, target);
    return;
  }
  unlinkSync(staged);
}

function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
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
