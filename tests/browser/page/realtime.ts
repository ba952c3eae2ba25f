import { io, type Socket } from 'socket.io-client';

// What an app's page would have, as docs/realtime.md says it; bundled for the browser by the test.

interface Told {
  id: string;
  resourceId: string | null;
}

interface Watching {
  ids: string[];
  resources: (string | null)[];
  /** How often it has connected. */
  connects: number;
}

declare global {
  interface Window {
    watchBySocket(url: string, token: string, room: string): Promise<void>;
    watchByEventSource(address: string): Promise<void>;
    /** What each has heard so far. */
    heard: { socket: Watching; source: Watching };
  }
}

const nothing = (): Watching => ({ ids: [], resources: [], connects: 0 });
window.heard = { socket: nothing(), source: nothing() };

function take(watching: Watching, { id, resourceId }: Told): void {
  watching.ids.push(id);
  watching.resources.push(resourceId);
}

window.watchBySocket = (url, token, room) =>
  new Promise((resolve) => {
    // Transports as by default: polling first, then a WebSocket.
    const socket: Socket = io(url, { auth: { token }, reconnectionDelay: 50, reconnectionDelayMax: 200 });
    let since: string | undefined;
    socket.on('connect', async () => {
      window.heard.socket.connects += 1;
      const answer = await socket.emitWithAck('subscribe', { rooms: [room], since });
      since ??= answer.data.cursor;
      resolve();
    });
    socket.on('event', (event: Told, cursor: string) => {
      since = cursor;
      take(window.heard.socket, event);
    });
  });

window.watchByEventSource = (address) =>
  new Promise((resolve) => {
    const source = new EventSource(address);
    source.onopen = () => {
      window.heard.source.connects += 1;
      resolve();
    };
    source.onmessage = ({ data }) => take(window.heard.source, JSON.parse(data) as Told);
  });
