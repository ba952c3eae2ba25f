import { peakResidentBytes, proportionalBytes } from './processes.ts';
import type { ServerProcess } from './server-process.ts';

const EVERY_MS = 250;

/** Watches what a server and its companions hold while something else goes on. */
export class MemoryWatch {
  readonly #server: ServerProcess;
  readonly #timer: NodeJS.Timeout;
  #companionPeak = 0;

  constructor(server: ServerProcess) {
    this.#server = server;
    this.#timer = setInterval(() => this.#sample(), EVERY_MS);
  }

  /** Peak resident size of the server's own process in MB (10^6 bytes): exact, the kernel keeps it. */
  get serverPeak(): number {
    return peakResidentBytes(this.#server.pid) / 1e6;
  }

  /** Proportional size of the server's own process now, MB. */
  get serverNow(): number {
    return proportionalBytes([this.#server.pid]) / 1e6;
  }

  /** Highest sum of the companions' proportional sizes in any sample, MB. Sampled four times a second. */
  get companionPeak(): number {
    return this.#companionPeak / 1e6;
  }

  stop(): void {
    this.#sample();
    clearInterval(this.#timer);
  }

  #sample(): void {
    this.#companionPeak = Math.max(this.#companionPeak, proportionalBytes(this.#server.companions));
  }
}
