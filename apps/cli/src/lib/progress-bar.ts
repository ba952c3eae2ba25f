import { bytes } from './output.ts';

/** What is on its way, as a bar draws it. */
export interface Moving {
  readonly files: number;
  readonly filesDone: number;
  readonly bytes: number;
  readonly bytesDone: number;
  /** Bytes a second. */
  readonly speed: number;
}

const EVERY_MS = 100;
const CELLS = 24;

/** One line on a terminal that is drawn over and over; nothing anywhere else. */
export class ProgressBar {
  readonly #stream: NodeJS.WriteStream;
  readonly #read: () => Moving;
  readonly #timer: NodeJS.Timeout | undefined;

  constructor(stream: NodeJS.WriteStream, isWanted: boolean, read: () => Moving) {
    this.#stream = stream;
    this.#read = read;
    if (stream.isTTY && isWanted) this.#timer = setInterval(() => stream.write(`\r${this.#line()}\x1b[K`), EVERY_MS);
  }

  end(): void {
    if (!this.#timer) return;
    clearInterval(this.#timer);
    this.#stream.write(`\r${this.#line()}\x1b[K\n`);
  }

  #line(): string {
    const { files, filesDone, bytes: total, bytesDone, speed } = this.#read();
    const fraction = total > 0 ? Math.min(1, bytesDone / total) : files > 0 ? filesDone / files : 0;
    const filled = Math.round(fraction * CELLS);
    const bar = `${'█'.repeat(filled)}${'░'.repeat(CELLS - filled)}`;
    const count = files > 1 ? ` ${filesDone}/${files} files` : '';
    return `${bar} ${String(Math.floor(fraction * 100)).padStart(3)} %${count}  ${bytes(bytesDone)} of ${bytes(total)}  ${bytes(speed)}/s`;
  }
}
