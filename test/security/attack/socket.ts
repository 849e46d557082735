/** Attacks by WebSocket, frame by frame: no library stands between a case and the wire. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { waitFor } from '@rhizome/testkit';
import type { AttackSystem } from './attack-system.js';
import type { Caller } from './attackers.js';
import { type AttackCase, codeIn, type Expected, type Outcome } from './case.js';

/** A frame, where it differs from a whole masked text frame. */
export interface FrameOptions {
  readonly opcode?: number;
  readonly fin?: boolean;
  readonly masked?: boolean;
  /** The reserved bits. */
  readonly reserved?: number;
  /** Length that the header names, if it is another than that of the payload. */
  readonly length?: number;
}

/** Bytes of a frame. */
export function frame(payload: string | Buffer, options: FrameOptions = {}): Buffer {
  const { opcode = 1, fin = true, masked = true, reserved = 0 } = options;
  const data = Buffer.from(payload as string);
  const length = options.length ?? data.length;
  const first = (fin ? 0x80 : 0) | (reserved << 4) | opcode;
  const mark = masked ? 0x80 : 0;
  let head: Buffer;
  if (length < 126) head = Buffer.from([first, mark | length]);
  else if (length < 65_536) {
    head = Buffer.alloc(4);
    head.set([first, mark | 126]);
    head.writeUInt16BE(length, 2);
  } else {
    head = Buffer.alloc(10);
    head.set([first, mark | 127]);
    head.writeBigUInt64BE(BigInt(length), 2);
  }
  if (!masked) return Buffer.concat([head, data]);
  const mask = randomBytes(4);
  return Buffer.concat([head, mask, data.map((byte, at) => byte ^ (mask[at % 4] as number))]);
}

/** Part of a case: a text as a frame, bytes as they are, or a wait for `connection_ack`. */
export type Step = string | Buffer | typeof acknowledged;
export const acknowledged = Symbol('acknowledged');

/** Options of a socket. */
export interface SocketOptions {
  readonly as?: Caller;
  readonly at?: string;
  readonly path?: string;
  readonly protocol?: string | null;
  readonly headers?: readonly string[];
}

interface SpeakOptions extends SocketOptions {
  /** True if the case ends with the close of the socket, whatever is answered before. */
  readonly isClosed: boolean;
}

/** Opens the socket properly and acknowledged, as a caller. */
export const opened: readonly Step[] = ['INIT', acknowledged];

/** A message of the protocol. */
export const message = (type: string, more: object = {}): string => JSON.stringify({ type, ...more });

/** A case of one socket: it ends with a close, or with a message that answers an operation. */
export function socket(
  name: string,
  steps: readonly Step[],
  expected: Expected,
  options: SocketOptions = {},
): AttackCase {
  const isClosed = expected.close !== undefined;
  return { name, expected, run: (system) => speak(system, steps, { ...options, isClosed }) };
}

async function speak(system: AttackSystem, steps: readonly Step[], options: SpeakOptions): Promise<Outcome> {
  const { at = 'gateway', as = 'reader' } = options;
  const { hostname, port } = new URL(system.origin(at));
  const line = connect(Number(port), hostname);
  const peer = new Peer(line);
  try {
    await waitFor('a connection', once(line, 'connect'), { deadlineMs: 60_000 });
    line.write(handshake(`${hostname}:${port}`, options));
    const status = await waitFor('the answer to the handshake', peer.status, { deadlineMs: 120_000 });
    if (status !== 101) return { status, text: peer.text };
    for (const step of steps) {
      if (step === acknowledged) await waitFor('connection_ack', peer.until('connection_ack'), limit);
      else line.write(typeof step === 'string' ? frame(await textOf(system, step, as)) : step);
    }
    await waitFor(
      `the end of "${steps.map(String).join(' ').slice(0, 80)}"`,
      options.isClosed ? peer.closed : peer.end,
      limit,
    );
    return peer.outcome;
  } finally {
    line.destroy();
  }
}

const limit = { deadlineMs: 120_000 };

async function textOf(system: AttackSystem, step: string, as: Caller): Promise<string> {
  if (step !== 'INIT') return step;
  const payload = as === 'nobody' ? {} : { authorization: `Bearer ${await system.tokenOf(as)}` };
  return message('connection_init', { payload });
}

function handshake(host: string, { path = '/graphql', protocol, headers = [] }: SocketOptions): string {
  const offered = protocol === null ? [] : [`sec-websocket-protocol: ${protocol ?? 'graphql-transport-ws'}`];
  const lines = [
    `GET ${path} HTTP/1.1`,
    `host: ${host}`,
    'upgrade: websocket',
    'connection: Upgrade',
    ...(headers.some((one) => one.startsWith('sec-websocket-key'))
      ? []
      : [`sec-websocket-key: ${randomBytes(16).toString('base64')}`]),
    ...(headers.some((one) => one.startsWith('sec-websocket-version')) ? [] : ['sec-websocket-version: 13']),
    ...offered,
    ...headers,
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}

const answers = new Set(['next', 'error', 'complete', 'pong']);

/** Reads what the server sends. */
class Peer {
  readonly status: Promise<number>;
  /** Resolves with a close, or with a message that answers an operation. */
  readonly end: Promise<void>;
  /** Resolves with a close. */
  readonly closed: Promise<void>;
  #bytes: Buffer = Buffer.alloc(0);
  #isOpen = false;
  #close: number | undefined;
  readonly #messages: { readonly type: string; readonly text: string }[] = [];
  #news: () => void = () => undefined;

  constructor(line: Socket) {
    let toStatus: (status: number) => void = () => undefined;
    let toEnd: () => void = () => undefined;
    let toClosed: () => void = () => undefined;
    this.closed = new Promise((resolve) => (toClosed = resolve));
    this.status = new Promise((resolve) => (toStatus = resolve));
    this.end = new Promise((resolve) => (toEnd = resolve));
    line.on('error', () => undefined);
    line.on('data', (chunk) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      if (!this.#isOpen) {
        const at = this.#bytes.indexOf('\r\n\r\n');
        if (at < 0) return;
        const status = Number(/^HTTP\/1\.1 (\d+)/.exec(this.#bytes.toString('latin1'))?.[1] ?? 0);
        this.#isOpen = status === 101;
        if (this.#isOpen) this.#bytes = this.#bytes.subarray(at + 4);
        toStatus(status);
      }
      if (this.#isOpen) this.#read();
      if (this.#close !== undefined) toClosed();
      if (this.#close !== undefined || this.#messages.some(({ type }) => answers.has(type))) toEnd();
      this.#news();
    });
    line.on('close', () => {
      this.#close ??= 1006;
      toStatus(0);
      toEnd();
      toClosed();
      this.#news();
    });
  }

  get text(): string {
    return (
      this.#messages.map(({ text }) => text).join('\n') + (this.#isOpen ? '' : this.#bytes.toString('latin1'))
    );
  }

  get outcome(): Outcome {
    const last = this.#messages.at(-1);
    const answer = this.#messages.findLast(({ type }) => answers.has(type));
    const payload = answer && (JSON.parse(answer.text) as { payload?: unknown }).payload;
    const body = Array.isArray(payload) ? { errors: payload } : payload;
    return {
      close: this.#close,
      message: last?.type,
      code: body === undefined ? undefined : codeIn(JSON.stringify(body)),
      text: this.text,
    };
  }

  /** Resolves when a message of this type has come, or none can come any more. */
  async until(type: string): Promise<void> {
    while (this.#close === undefined && !this.#messages.some((one) => one.type === type))
      await new Promise<void>((resolve) => (this.#news = resolve));
  }

  #read(): void {
    for (;;) {
      const [first, second] = this.#bytes;
      if (first === undefined || second === undefined) return;
      let [length, at] = [second & 0x7f, 2];
      if (length === 126 && this.#bytes.length >= 4) [length, at] = [this.#bytes.readUInt16BE(2), 4];
      else if (length === 127 && this.#bytes.length >= 10)
        [length, at] = [Number(this.#bytes.readBigUInt64BE(2)), 10];
      if (this.#bytes.length < at + length) return;
      const payload = this.#bytes.subarray(at, at + length);
      this.#bytes = this.#bytes.subarray(at + length);
      this.#take(first & 0x0f, payload);
    }
  }

  #take(opcode: number, payload: Buffer): void {
    if (opcode === 8) this.#close = payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
    if (opcode !== 1) return;
    const text = payload.toString('utf8');
    this.#messages.push({ type: String((JSON.parse(text) as { type?: string }).type), text });
  }
}
