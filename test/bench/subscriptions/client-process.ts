/**
 * A thousand clients with a socket each, as thin as it goes, since they share the machine with what is
 * measured: frames are counted, and of some the time is read.
 */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { answerQuestions } from '../live/processes.js';
import { now } from './events.js';

/** Subscriptions to open. */
export interface OpenQuestion {
  readonly port: number;
  /** One a client. */
  readonly tokens: readonly string[];
  readonly query: string;
}

/** Messages since the last report. */
export interface ClientReport {
  readonly messages: number;
  /** The fewest and the most that one client got. */
  readonly fewest: number;
  readonly most: number;
  /** Streams that were ended by the server. */
  readonly ended: number;
  readonly p50: number;
  readonly p99: number;
  /** Milliseconds from the first message to the last. */
  readonly spanMs: number;
}

/** One message in this number is timed. */
const sampled = 8;
const idleWindowMs = 5000;
const atKey = Buffer.from('"at":');
const nextType = Buffer.from('"type":"next"');

let latencies: number[] = [];
let [total, ended, first, last] = [0, 0, 0, 0];
const clients: Client[] = [];

class Client {
  count = 0;
  readonly #socket: Socket;
  #rest: Buffer = Buffer.alloc(0);
  #isUpgraded = false;
  #onText: ((text: string) => void) | undefined;

  constructor(port: number) {
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('error', () => undefined);
    this.#socket.on('data', (chunk: Buffer) => this.#take(chunk));
  }

  /** Shakes hands, introduces itself and subscribes. */
  async open({ query }: OpenQuestion, token: string): Promise<void> {
    const upgraded = this.#text();
    this.#socket.write(
      `GET /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-protocol: graphql-transport-ws\r\nsec-websocket-key: ${randomBytes(16).toString('base64')}\r\n\r\n`,
    );
    await upgraded;
    const acknowledged = this.#text();
    this.#send({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } });
    await acknowledged;
    this.#send({ id: '1', type: 'subscribe', payload: { query } });
  }

  close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#socket.once('close', () => resolve()));
    this.#socket.destroy();
    return closed;
  }

  #text(): Promise<string> {
    return new Promise((resolve) => (this.#onText = resolve));
  }

  #send(message: object): void {
    this.#frame(0x81, Buffer.from(JSON.stringify(message)));
  }

  /** A mask of zeros leaves the text as it is. */
  #frame(opcode: number, payload: Buffer): void {
    const { length } = payload;
    const head =
      length < 126
        ? Buffer.from([opcode, 0x80 | length, 0, 0, 0, 0])
        : Buffer.from([opcode, 0x80 | 126, length >> 8, length & 255, 0, 0, 0, 0]);
    this.#socket.write(Buffer.concat([head, payload]));
  }

  #take(chunk: Buffer): void {
    let data = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    if (!this.#isUpgraded) {
      const end = data.indexOf('\r\n\r\n');
      if (end < 0) return void (this.#rest = data);
      this.#isUpgraded = true;
      data = data.subarray(end + 4);
      this.#onMessage('upgraded');
    }
    let from = 0;
    for (;;) {
      const short = (data[from + 1] ?? 0) & 127;
      const start = from + (short < 126 ? 2 : 4);
      if (start > data.length) break;
      const end = start + (short < 126 ? short : data.readUInt16BE(from + 2));
      if (end > data.length) break;
      this.#message(data, (data[from] ?? 0) & 15, start, end);
      from = end;
    }
    this.#rest = from < data.length ? data.subarray(from) : Buffer.alloc(0);
  }

  #message(data: Buffer, opcode: number, start: number, end: number): void {
    if (opcode === 9) return this.#frame(0x8a, data.subarray(start, end));
    if (opcode !== 1) return;
    if (this.#onText) return this.#onMessage(data.toString('utf8', start, end));
    // {"id":"1","type":"next",…
    if (data.compare(nextType, 0, nextType.length, start + 10, start + 10 + nextType.length) !== 0) {
      if (data.toString('utf8', start, end).includes('"id"')) ended++;
      return;
    }
    this.count++;
    last = now();
    if (total++ === 0) first = last;
    if (total % sampled !== 0) return;
    const at = data.indexOf(atKey, start) + atKey.length;
    latencies.push(last - Number.parseFloat(data.toString('latin1', at, at + 18)));
  }

  #onMessage(text: string): void {
    const listener = this.#onText;
    this.#onText = undefined;
    listener?.(text);
  }
}

async function open(question: OpenQuestion): Promise<number> {
  const { port, tokens } = question;
  for (let from = 0; from < tokens.length; from += 50) {
    await Promise.all(
      tokens.slice(from, from + 50).map((token) => {
        const client = new Client(port);
        clients.push(client);
        return client.open(question, token);
      }),
    );
  }
  return clients.length;
}

/** Resolves when every client has this number of messages, or none arrived for five seconds. */
async function report({ each }: { readonly each: number }): Promise<ClientReport> {
  const asked = now();
  while (total < each * clients.length && now() - Math.max(asked, last) < idleWindowMs) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const counts = clients.map(({ count }) => count);
  const sorted = Float64Array.from(latencies).sort();
  const at = (part: number): number => sorted[Math.floor(part * sorted.length)] ?? Number.NaN;
  const found = {
    messages: total,
    fewest: Math.min(...counts),
    most: Math.max(...counts),
    ended,
    p50: at(0.5),
    p99: at(0.99),
    spanMs: last - first,
  };
  latencies = [];
  [total, ended, first, last] = [0, 0, 0, 0];
  for (const client of clients) client.count = 0;
  return found;
}

async function close(): Promise<void> {
  await Promise.all(clients.splice(0).map((client) => client.close()));
}

answerQuestions({ open, report, close });
