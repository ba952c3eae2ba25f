import type { Duplex } from 'node:stream';
import { CarcosaError } from '@carcosa/kernel';
import type { Socket } from 'socket.io';

type Engine = Socket['conn'];

/** Most packets that wait for a client, and bytes that wait in its socket. A packet for many clients is in memory once. */
const MAX_PACKETS = 1_000;
const MAX_BYTES = 1024 * 1024;
/** Who catches up gets more when no more than this waits. */
const FEW_PACKETS = 50;
/** Milliseconds that a client has to read what was sent while it catches up. */
const PATIENCE_MS = 30_000;

/** What the library does not show of its transports. */
interface Transport {
  socket?: { bufferedAmount?: number; terminate?: () => void; _socket?: Pick<Duplex, 'cork' | 'uncork'> };
}

const waiting = (conn: Engine): number => (conn as unknown as { writeBuffer: unknown[] }).writeBuffer.length;
const bytesWaiting = (conn: Engine): number => (conn.transport as unknown as Transport).socket?.bufferedAmount ?? 0;

/** Whether so much waits for the client that it does not read as fast as things happen. */
export function isSlow(conn: Engine): boolean {
  return waiting(conn) > MAX_PACKETS || bytesWaiting(conn) > MAX_BYTES;
}

/** Drops the connection without waiting for the client, which may read nothing more. It may come back, and go on where it was. */
export function terminate(conn: Engine): void {
  const { socket } = conn.transport as unknown as Transport;
  if (socket?.terminate) socket.terminate();
  else conn.close(true);
}

/** Resolves when little waits for the client. @throws CarcosaError `request_timeout` when it does not read, or is gone */
export async function untilDrained(conn: Engine): Promise<void> {
  const gaveUpAt = performance.now() + PATIENCE_MS;
  while (waiting(conn) > FEW_PACKETS || bytesWaiting(conn) > MAX_BYTES / 4) {
    if (conn.readyState !== 'open' || performance.now() > gaveUpAt) {
      terminate(conn);
      throw new CarcosaError('request_timeout');
    }
    await new Promise<void>((resolve) => void setTimeout(resolve, 20));
  }
  if (conn.readyState !== 'open') throw new CarcosaError('request_timeout');
}

/**
 * Sends all packets that wait for a client by one write: the library makes one of each, which is most of what many clients cost. To be called with the
 * engine of all connections.
 */
export function writeTogether(engine: {
  on(event: 'flush' | 'drain', listener: (conn: Engine) => void): unknown;
}): void {
  const tcpOf = (conn: Engine) => (conn.transport as unknown as Transport).socket?._socket;
  // It says `flush` before it hands the packets to the transport, and `drain` right after.
  engine.on('flush', (conn) => tcpOf(conn)?.cork());
  engine.on('drain', (conn) => tcpOf(conn)?.uncork());
}
