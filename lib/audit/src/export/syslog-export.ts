/** Sends a copy of the log to a syslog server, over TLS or TCP. The log itself is in the store. */
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { once } from 'node:events';
import { Backoff, sleep } from '@rhizome/retry';
import type { Logger } from '@rhizome/log';
import type { AuditBatch } from '../store/audit.repository.js';
import { messagesOf } from './syslog-message.js';

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

/** Ports and settings of a {@link SyslogExport}. */
export interface SyslogExportOptions {
  readonly target: SyslogTarget;
  readonly log: Logger;
  /** Called with the number of messages that were dropped, once the server accepts messages again. */
  readonly onLost: (count: number) => void;
  /** Messages that wait for the server; further ones are dropped. Default 10,000. */
  readonly waitingMessages?: number | undefined;
}

const defaultWaiting = 10_000;
/** Bytes that wait, whatever the number of messages. */
const mostBytes = 32 * 1024 * 1024;
const bytesPerWrite = 64 * 1024;
const connectMs = 10_000;
/** Time for the last messages at the end of the process, in milliseconds. */
const closeMs = 5_000;
const defaultPorts = { tls: 6514, tcp: 601 };
/** Time for a server that reads nothing, in milliseconds. */
const writeMs = 30_000;
const retryDelays = { initialDelayMs: 200, maxDelayMs: 10_000 };

/** Sends the messages of one process in order. No call waits for it. */
export class SyslogExport {
  readonly #options: SyslogExportOptions;
  readonly #backoff = new Backoff(retryDelays);
  readonly #stopping = new AbortController();
  #waiting: Buffer[] = [];
  #bytes = 0;
  #lost = 0;
  #isFailing = false;
  #socket: Socket | undefined;
  #sending: Promise<void> | undefined;

  constructor(options: SyslogExportOptions) {
    this.#options = options;
  }

  /** Sends the messages of a stored batch later. */
  readonly send = (batch: AuditBatch): void => {
    const { waitingMessages = defaultWaiting } = this.#options;
    for (const message of messagesOf(batch)) {
      if (this.#waiting.length >= waitingMessages || this.#bytes + message.length > mostBytes)
        this.#lost += 1;
      else {
        this.#waiting.push(message);
        this.#bytes += message.length;
      }
    }
    this.#start();
  };

  /** Sends what waits; gives up after some seconds. */
  async close(): Promise<void> {
    const giveUp = setTimeout(() => this.#stopping.abort(), closeMs);
    this.#start();
    await this.#sending;
    clearTimeout(giveUp);
    this.#stopping.abort();
    const left = this.#waiting.length + this.#lost;
    if (left > 0) this.#options.log.warn({ count: left }, 'audit entries not sent to the syslog server');
    this.#socket?.end();
    this.#socket?.unref();
  }

  #start(): void {
    if (this.#stopping.signal.aborted) return;
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
      if (this.#waiting.length > 0) this.#start();
    });
  }

  async #sendAll(): Promise<void> {
    while (this.#waiting.length > 0 && !this.#stopping.signal.aborted) {
      const count = this.#countOfNext();
      const bytes = Buffer.concat(this.#waiting.slice(0, count));
      try {
        await this.#write(bytes);
      } catch (error) {
        await this.#failed(error);
        continue;
      }
      this.#waiting.splice(0, count);
      this.#bytes -= bytes.length;
      this.#succeeded();
    }
  }

  /** Number of messages that fit into one write. */
  #countOfNext(): number {
    let bytes = 0;
    const count = this.#waiting.findIndex(({ length }) => (bytes += length) > bytesPerWrite);
    return count === -1 ? this.#waiting.length : Math.max(1, count);
  }

  async #write(bytes: Buffer): Promise<void> {
    const socket = (this.#socket ??= await this.#connected());
    const signal = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(writeMs)]);
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const stop = (): void => reject(new Error('The syslog server reads nothing'));
      signal.addEventListener('abort', stop, { once: true });
      socket.write(bytes, (error) => {
        signal.removeEventListener('abort', stop);
        if (error) reject(error);
        else resolve();
      });
    });
  }

  async #connected(): Promise<Socket> {
    const { url, ca, cert, key } = this.#options.target;
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
    const signal = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(connectMs)]);
    try {
      await once(socket, isTls ? 'secureConnect' : 'connect', { signal });
      return socket;
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }

  async #failed(error: unknown): Promise<void> {
    this.#socket?.destroy();
    this.#socket = undefined;
    if (!this.#isFailing && !this.#stopping.signal.aborted)
      this.#options.log.error({ err: error }, 'sending audit entries to the syslog server failed; retrying');
    this.#isFailing = true;
    await sleep(this.#backoff.next(), this.#stopping.signal);
  }

  #succeeded(): void {
    this.#backoff.reset();
    if (this.#isFailing) this.#options.log.info('syslog server recovered');
    this.#isFailing = false;
    if (this.#lost === 0) return;
    const count = this.#lost;
    this.#lost = 0;
    this.#options.log.error({ count }, 'audit entries not sent to the syslog server');
    this.#options.onLost(count);
  }
}
