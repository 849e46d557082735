/**
 * A client by hand that stops to read: its kernel's buffers fill up, and then its peer has to know what to
 * do.
 */
import WebSocket from 'ws';
import type { Received, WatchedEvent } from './watchers.js';

/** Fat, so that what is not read does not fit into any buffer of the kernel. */
const text = `subscription Stalled($after: String) {
  jobStateChanged(after: $after) {
    cursor event { previousState state revision coalescedCount job { id } }
    ${Array.from({ length: 24 }, (_, at) => `copy${at}: cursor`).join(' ')}
  }
}`;

/** End of its stream. */
export interface StalledEnd {
  readonly closeCode: number | undefined;
  /** The code of the error that ended the subscription, where one came. */
  readonly error: string | undefined;
}

/** The client. */
export interface StalledClient {
  stall(): void;
  /** Reads on, until the stream or the socket has ended. */
  readOn(): Promise<StalledEnd>;
  close(): void;
}

interface Message {
  readonly type: string;
  readonly payload?: unknown;
}

/**
 * Subscribes to everything after a cursor; resolves with the first event. Everything it reads is added to
 * `received`.
 */
export async function openStalledClient(
  { wsUrl, token }: { readonly wsUrl: string; readonly token: string },
  after: string,
  received: Received,
): Promise<StalledClient> {
  const socket = new WebSocket(wsUrl, 'graphql-transport-ws');
  let firstCame: () => void = () => undefined;
  const first = new Promise<void>((resolve) => (firstCame = resolve));
  let ended: (end: StalledEnd) => void = () => undefined;
  const end = new Promise<StalledEnd>((resolve) => (ended = resolve));
  let error: string | undefined;
  socket.on('open', () =>
    socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } })),
  );
  socket.on('message', (data: Buffer) => {
    const { type, payload } = JSON.parse(data.toString()) as Message;
    if (type === 'connection_ack') {
      const subscribe = { query: text, variables: { after } };
      socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: subscribe }));
    } else if (type === 'ping') socket.send(JSON.stringify({ type: 'pong' }));
    else if (type === 'next') {
      const { data: event, errors } = payload as {
        data?: WatchedEvent | null;
        errors?: readonly ErrorLike[];
      };
      if (event) {
        received.record(event);
        firstCame();
      } else error = errors?.[0]?.extensions?.code;
    } else if (type === 'error') {
      error = (payload as readonly ErrorLike[])[0]?.extensions?.code;
      ended({ closeCode: undefined, error });
    } else if (type === 'complete') ended({ closeCode: undefined, error });
  });
  socket.on('error', () => undefined);
  socket.on('close', (closeCode) => ended({ closeCode, error }));
  await Promise.race([first, end]);
  return {
    stall: () => socket.pause(),
    readOn() {
      socket.resume();
      return end;
    },
    close: () => socket.terminate(),
  };
}

interface ErrorLike {
  readonly extensions?: { readonly code?: string };
}
