/** A stream over a socket, whose end is measured. */
import { once } from 'node:events';
import { WebSocket } from 'ws';

/** Follows all jobs that the caller may read. */
export const followed = 'subscription DeadlineFollow { jobStateChanged { cursor } }';
/** A query after the subscription on the same socket: when it is answered, the stream is open. */
const me = 'query DeadlineMe { viewer { subject } }';

interface Message {
  readonly id?: string;
  readonly type: string;
}

/** An open stream. */
export interface OpenStream {
  /** Resolves with the end of the socket. */
  readonly ended: Promise<unknown>;
}

/** Opens a stream over a socket. @param payload of `connection_init` */
export async function openStream(url: string, payload: object, query = followed): Promise<OpenStream> {
  const socket = new WebSocket(url.replace(/^http/, 'ws'), 'graphql-transport-ws');
  const ended = once(socket, 'close');
  await once(socket, 'open');
  const send = (message: object): void => socket.send(JSON.stringify(message));
  const until = (type: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const read = (data: Buffer): void => {
        const message = JSON.parse(data.toString('utf8')) as Message;
        if (message.type === 'error') reject(new Error(`the stream was refused: ${data.toString('utf8')}`));
        if (message.type !== type) return;
        socket.off('message', read);
        resolve();
      };
      socket.on('message', read);
      void ended.then(() => reject(new Error('the socket closed before the stream was open')));
    });
  send({ type: 'connection_init', payload });
  await until('connection_ack');
  send({ id: 'stream', type: 'subscribe', payload: { query } });
  send({ id: 'query', type: 'subscribe', payload: { query: me } });
  await until('complete');
  return { ended };
}

/** Seconds from the beginning of a change to the end of all streams. */
export async function secondsToEnd(
  streams: readonly OpenStream[],
  change: () => Promise<unknown>,
): Promise<number> {
  const begun = performance.now();
  await change();
  await Promise.all(streams.map(({ ended }) => ended));
  return (performance.now() - begun) / 1000;
}
