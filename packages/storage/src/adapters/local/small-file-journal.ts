import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fdatasyncSync,
  fsync,
  fsyncSync,
  mkdirSync,
  openSync,
  unlinkSync,
  write as writeFd,
  writeSync,
  writevSync,
} from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { EMPTY, encodeRecord, type JournalRecord, recordSize } from './journal-record.ts';
import { syncFolder } from './small-files.ts';

const write = promisify(writeFd);
const sync = promisify(fsync);

/** Bytes of a segment: some 250 files of 16 KiB. */
const SEGMENT_SIZE = 4 * 1024 * 1024;
/** Segments that may wait for the system to write their files by itself, before we make it do so. */
const PATIENT_SEGMENTS = 16;
/** Segments that are full, at most: a disk that does not keep up with the journal has to be waited for. */
const MAX_SEGMENTS = 64;
/** Milliseconds in which Linux writes what is dirty (it begins after 30 s): who syncs a file after that waits for nothing. */
const WRITTEN_BY_THEN_MS = 40_000;
/** Segments without records that are kept for later: to make one costs as much as to fill it. */
const SPARE_SEGMENTS = 16;
/** As many stay when nothing comes any more. */
const SPARE_AT_REST = 2;
const ZEROS = new Uint8Array(256 * 1024);

export interface Segment {
  file: string;
  fd: number;
  generation: bigint;
  position: number;
  /** Storage keys of what lies in it. */
  keys: string[];
  /** When the last record came, in ms of a steady clock. */
  filledAt: number;
  /** Whether all its syncs succeeded. */
  isSound: boolean;
}

export interface SmallFileJournalOptions {
  /** Of this journal's segments; made when missing. */
  directory: string;
  /** Names the running process, so that others see whether it lives. Letters, digits and dots. */
  owner: string;
  /** Milliseconds of a steady clock. */
  now(): number;
  /** Bytes of a segment; no record may be larger. */
  segmentSize?: number;
}

/**
 * Puts small files on stable storage by one write and one sync for all that come together, into space that is already allocated. The
 * files themselves are written beside it and not synced: a new file costs the file system a transaction of its own, which takes ten times as long.
 * A segment is kept until its files are safe by themselves (`dueToSettle`, `settled`); after a crash, `recoverJournals` makes them whole.
 *
 * Runs in the disk worker: all calls but `prepare` block.
 */
export class SmallFileJournal {
  readonly #options: Required<SmallFileJournalOptions>;
  #current: Segment | null = null;
  /** Full, oldest first. */
  readonly #full: Segment[] = [];
  readonly #spare: Segment[] = [];
  #serial = 0;
  #lastAt = 0;
  #preparing = false;

  constructor(options: SmallFileJournalOptions) {
    this.#options = { segmentSize: SEGMENT_SIZE, ...options };
  }

  /** Whether so much waits to be settled that no more should come. */
  get isFull(): boolean {
    return this.#full.length >= MAX_SEGMENTS;
  }

  /**
   * Puts the records on stable storage.
   * @throws an error of the file system: then they are to be stored in another way; what was appended before stays safe
   */
  append(records: readonly JournalRecord[]): void {
    for (const part of fitting(records, this.#options.segmentSize)) this.#append(part);
  }

  #append(records: readonly JournalRecord[]): void {
    const segment = this.#segmentFor(sizeOf(records));
    const { fd, generation, position } = segment;
    try {
      writeAllSync(
        fd,
        records.flatMap((record) => encodeRecord(generation, record)),
        position,
      );
      fdatasyncSync(fd);
    } catch (error) {
      // After a failed sync the system may take pages for clean that never reached the disk: nothing more is trusted to this file.
      segment.isSound = false;
      this.#retire();
      throw error;
    }
    segment.position += sizeOf(records);
    for (const { key } of records) segment.keys.push(key);
    segment.filledAt = this.#options.now();
    this.#lastAt = segment.filledAt;
  }

  /**
   * The segment whose files are to be synced next; null while there is none. With `all` also one that is not full or old.
   * Call `settled` when they are.
   */
  dueToSettle({ all = false } = {}): Segment | null {
    if (all && this.#current && this.#current.keys.length > 0) this.#retire();
    const [oldest] = this.#full;
    if (!oldest) return null;
    const isOld = this.#options.now() - oldest.filledAt >= WRITTEN_BY_THEN_MS;
    return all || isOld || this.#full.length > PATIENT_SEGMENTS ? oldest : null;
  }

  /** Lets go of a segment whose files are on stable storage with their names. */
  settled(segment: Segment): void {
    const index = this.#full.indexOf(segment);
    if (index === -1) return;
    this.#full.splice(index, 1);
    if (segment.isSound && this.#spare.length < SPARE_SEGMENTS && emptied(segment)) this.#spare.push(segment);
    else remove(segment);
  }

  /** Whether it holds nothing that is not safe by itself, and is at rest. */
  get isEmpty(): boolean {
    return !this.#preparing && this.#full.length === 0 && (this.#current?.keys.length ?? 0) === 0;
  }

  /** Removes its segments. To be called when it is empty. */
  close(): void {
    for (const segment of [...this.#spare.splice(0), ...(this.#current ? [this.#current] : [])]) remove(segment);
    this.#current = null;
  }

  /** To be called from time to time: lets a segment that has grown old be settled, and gives back what nobody uses. */
  tidy(): void {
    const isIdle = this.#options.now() - this.#lastAt >= WRITTEN_BY_THEN_MS;
    if (!isIdle) return;
    if (this.#current && this.#current.keys.length > 0) this.#retire();
    const spare = this.#spare.length > SPARE_AT_REST ? this.#spare.pop() : undefined;
    if (spare) remove(spare);
  }

  /** Makes the next segment when the present one is half full, and there is none. Does not block. */
  async prepare(): Promise<void> {
    const isNear = (this.#current?.position ?? 0) > this.#options.segmentSize / 2;
    if (!isNear || this.#spare.length > 0 || this.#preparing) return;
    this.#preparing = true;
    try {
      const { directory, segmentSize } = this.#options;
      const segment = this.#named();
      for (let at = 0; at < segmentSize; at += ZEROS.length)
        await write(segment.fd, ZEROS, 0, Math.min(ZEROS.length, segmentSize - at), at);
      await sync(segment.fd);
      syncFolder(directory);
      this.#spare.push(segment);
    } catch {
      // Whoever needs one makes it, and hears why that cannot be.
    } finally {
      this.#preparing = false;
    }
  }

  #segmentFor(size: number): Segment {
    if (this.#current && this.#current.position + size > this.#options.segmentSize) this.#retire();
    this.#current ??= this.#reused() ?? this.#made();
    return this.#current;
  }

  #retire(): void {
    if (this.#current) this.#full.push(this.#current);
    this.#current = null;
  }

  #reused(): Segment | null {
    const segment = this.#spare.pop();
    return segment ? { ...segment, generation: newGeneration(), position: 0, keys: [] } : null;
  }

  #made(): Segment {
    const { directory, segmentSize } = this.#options;
    const segment = this.#named();
    try {
      // Allocated and written once: from then on a sync has only the data to write.
      writeAllSync(segment.fd, [new Uint8Array(segmentSize)], 0);
      fsyncSync(segment.fd);
      syncFolder(directory);
      syncFolder(path.dirname(directory));
    } catch (error) {
      remove(segment);
      throw error;
    }
    return segment;
  }

  /** A new file, of which nothing is on the disk yet. */
  #named(): Segment {
    const { directory, owner } = this.#options;
    mkdirSync(directory, { recursive: true, mode: 0o750 });
    const file = path.join(directory, segmentName(owner, this.#serial++));
    return {
      file,
      fd: openSync(file, 'wx', 0o640),
      generation: newGeneration(),
      position: 0,
      keys: [],
      filledAt: 0,
      isSound: true,
    };
  }
}

/** `{owner}-{random}-{serial}.journal`: no two journals of one process share a name. */
const segmentName = (owner: string, serial: number): string =>
  `${owner}-${randomBytes(6).toString('hex')}-${serial}.journal`;

/** The records in parts that fit into a segment each. */
function* fitting(records: readonly JournalRecord[], segmentSize: number): Generator<JournalRecord[]> {
  let part: JournalRecord[] = [];
  let size = 0;
  for (const record of records) {
    if (part.length > 0 && size + recordSize(record) > segmentSize) {
      yield part;
      part = [];
      size = 0;
    }
    part.push(record);
    size += recordSize(record);
  }
  if (part.length > 0) yield part;
}

/** The owner in the name of a segment; null for any other file. */
export function ownerOf(name: string): string | null {
  return /^([A-Za-z0-9.]+)-[0-9a-f]{12}-\d+\.journal$/.exec(name)?.[1] ?? null;
}

const newGeneration = (): bigint => randomBytes(8).readBigUInt64LE();

function sizeOf(records: readonly JournalRecord[]): number {
  return records.reduce((sum, record) => sum + recordSize(record), 0);
}

function writeAllSync(fd: number, buffers: Uint8Array[], position: number): void {
  const wanted = buffers.reduce((sum, { length }) => sum + length, 0);
  let written = writevSync(fd, buffers, position);
  if (written === wanted) return;
  // Rare: the system took only a part.
  const rest = Buffer.concat(buffers);
  while (written < wanted) written += writeSync(fd, rest, written, wanted - written, position + written);
}

/** A file that is deleted from now on must not come back from here. */
function emptied({ fd }: Segment): boolean {
  try {
    writeAllSync(fd, [EMPTY], 0);
    fdatasyncSync(fd);
    return true;
  } catch {
    return false;
  }
}

function remove({ file, fd }: Pick<Segment, 'file' | 'fd'>): void {
  closeSync(fd);
  try {
    unlinkSync(file);
  } catch {
    // Whoever recovers it finds its files as they should be.
  }
}
