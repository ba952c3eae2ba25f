import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';

/** What clamd finds in the file that every scanner knows as a test (eicar.org). */
export const EICAR = 'X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*';

/**
 * A stand-in for clamd that speaks its INSTREAM: Debian's own needs signatures that are downloaded. It finds the EICAR test file, and refuses
 * what is larger than `maxBytes` as clamd does: with a word, and by closing.
 */
export class FakeClamd {
  /** Bytes of each content that was scanned. */
  readonly scanned: number[] = [];
  maxBytes = 1024 * 1024;
  /** While set, answers wait for it. */
  gate: Promise<void> = Promise.resolve();
  /** Answers nothing, and hangs up. */
  isBroken = false;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server = createServer((socket) => {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    this.#serve(socket).catch(() => socket.destroy());
  });

  static async open(): Promise<FakeClamd> {
    const clamd = new FakeClamd();
    await new Promise<void>((resolve) => clamd.#server.listen(0, '127.0.0.1', resolve));
    return clamd;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #serve(socket: Socket): Promise<void> {
    if (this.isBroken) {
      socket.destroy();
      return;
    }
    let bytes = Buffer.alloc(0);
    const content: Buffer[] = [];
    let length = 0;
    let hasCommand = false;
    // What comes behind the answer is read and dropped: a socket closed with something unread takes the answer back on its way.
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
      bytes = Buffer.concat([bytes, chunk as Buffer]);
      if (!hasCommand) {
        const end = bytes.indexOf(0);
        if (end < 0) continue;
        if (bytes.subarray(0, end).toString() !== 'zINSTREAM') throw new Error('another command');
        bytes = bytes.subarray(end + 1);
        hasCommand = true;
      }
      while (bytes.length >= 4) {
        const size = bytes.readUInt32BE();
        if (size === 0) {
          await this.gate;
          this.scanned.push(length);
          const found = Buffer.concat(content).includes(EICAR);
          socket.end(found ? 'stream: Eicar-Test-Signature FOUND\0' : 'stream: OK\0').resume();
          return;
        }
        if (length + size > this.maxBytes) {
          socket.end('INSTREAM size limit exceeded. ERROR\0').resume();
          return;
        }
        if (bytes.length < 4 + size) break;
        content.push(bytes.subarray(4, 4 + size));
        length += size;
        bytes = bytes.subarray(4 + size);
      }
    }
  }
}
