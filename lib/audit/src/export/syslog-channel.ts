/** Sends a copy of the log to a syslog server, over TLS or TCP. */
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { once } from 'node:events';
import type { CopyChannel } from './copy-queue.js';

/** A syslog server. */
export interface SyslogTarget {
  /** `tls://host:port` or `tcp://host:port`; default ports 6514 and 601. */
  readonly url: string;
  /** Certificates of the authority, in PEM; undefined: those of the system. */
  readonly ca?: string | undefined;
  /** Certificate and private key of the client, in PEM. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

const connectMs = 10_000;
const defaultPorts = { tls: 6514, tcp: 601 };

/** A connection that is opened when it is needed. */
export class SyslogChannel implements CopyChannel {
  readonly name = 'syslog server';
  readonly #target: SyslogTarget;
  #socket: Socket | undefined;

  constructor(target: SyslogTarget) {
    this.#target = target;
  }

  async write(messages: readonly Buffer[], signal: AbortSignal): Promise<number> {
    const socket = (this.#socket ??= await this.#connected(signal));
    await new Promise<void>((resolve, reject) => {
      const stop = (): void => reject(new Error('The syslog server reads nothing'));
      signal.addEventListener('abort', stop, { once: true });
      socket.write(Buffer.concat(messages), (error) => {
        signal.removeEventListener('abort', stop);
        if (error) reject(error);
        else resolve();
      });
    });
    return 0;
  }

  disconnect(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  close(): void {
    this.#socket?.end();
    this.#socket?.unref();
  }

  async #connected(stopping: AbortSignal): Promise<Socket> {
    const { url, ca, cert, key } = this.#target;
    const { protocol, hostname: named, port } = new URL(url);
    const host = named.replaceAll(/^\[|\]$/g, '');
    const isTls = protocol === 'tls:';
    const to = { host, port: Number(port || defaultPorts[isTls ? 'tls' : 'tcp']) };
    const socket = isTls
      ? connectTls({ ...to, ...(isIP(host) === 0 && { servername: host }), ca, cert, key })
      : connectTcp(to);
    // An error closes the connection; the next message opens another one.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      if (this.#socket === socket) this.#socket = undefined;
    });
    socket.resume().setKeepAlive(true, 60_000).unref();
    const signal = AbortSignal.any([stopping, AbortSignal.timeout(connectMs)]);
    try {
      await once(socket, isTls ? 'secureConnect' : 'connect', { signal });
      return socket;
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }
}
