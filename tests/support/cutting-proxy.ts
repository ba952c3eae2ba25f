import { connect, createServer, type Server as NetServer, type Socket } from 'node:net';

/** A TCP relay in front of a server that cuts connections on demand: a network that fails. */
export interface CuttingProxy {
  /** Give it to the server as CARCOSA_PUBLIC_URL, so that the addresses it hands out lead through here. */
  readonly url: string;
  /** Where connections go from now on. */
  target(url: string): void;
  /** Cuts the connection over which the `bytes`-th byte from now on goes to the server. */
  cutAfter(bytes: number): void;
  /** Lets so many bytes from now on through, and no more until `release`. */
  holdAfter(bytes: number): void;
  release(): void;
  /** Cuts all that are open, at once. */
  cutAll(): void;
  /** How many connections were cut so far. */
  readonly cuts: number;
  close(): Promise<void>;
}

export async function startCuttingProxy(): Promise<CuttingProxy> {
  let port = 0;
  let countdown = Number.POSITIVE_INFINITY;
  let cuts = 0;
  const open = new Set<() => void>();
  let allowance = Number.POSITIVE_INFINITY;
  const held = new Set<Socket>();

  const relay = (client: Socket): void => {
    const upstream = connect({ host: '127.0.0.1', port, noDelay: true });
    client.setNoDelay(true);
    const drop = (): void => {
      if (!open.delete(drop)) return;
      client.resetAndDestroy();
      upstream.resetAndDestroy();
    };
    open.add(drop);
    for (const socket of [client, upstream]) socket.on('error', drop).on('close', drop);
    client.on('data', (chunk: Buffer) => {
      countdown -= chunk.length;
      allowance -= chunk.length;
      if (countdown <= 0) {
        // What fits before the cut still arrives: a cut may fall anywhere in a request.
        upstream.write(chunk.subarray(0, chunk.length + countdown));
        countdown = Number.POSITIVE_INFINITY;
        cuts += 1;
        drop();
      } else if (!upstream.write(chunk) || allowance <= 0) {
        client.pause();
        if (allowance <= 0) held.add(client);
        else upstream.once('drain', () => client.resume());
      }
    });
    upstream.pipe(client);
  };
  const server: NetServer = createServer(relay);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`,
    target: (url) => {
      port = Number(new URL(url).port);
    },
    cutAfter: (bytes) => {
      countdown = bytes;
    },
    holdAfter: (bytes) => {
      allowance = bytes;
    },
    release: () => {
      allowance = Number.POSITIVE_INFINITY;
      for (const client of held) client.resume();
      held.clear();
    },
    cutAll: () => {
      for (const drop of [...open]) {
        cuts += 1;
        drop();
      }
    },
    get cuts() {
      return cuts;
    },
    close: () =>
      new Promise((resolve) => {
        for (const drop of [...open]) drop();
        server.close(() => resolve());
      }),
  };
}
