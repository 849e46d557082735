/** One client of the local protocol: lines in, lines out. */
import type { Socket } from 'node:net';
import { CoreRefused } from '../protocol/core-protocol.js';
import type { UnitReportAnswer } from '../protocol/unit-calls.js';
import { parseUnitRequest, type RequestId, type UnitRequest } from './unit-request.js';
import type { UnitService } from './unit-service.js';

/** Largest line in characters: results of 1 MiB together, and what JSON adds to them. */
const longestLine = 2 * 1024 * 1024;

/** Lines that are read without a pause, and characters after which one is made: others take their turn. */
const linesPerTurn = 16;
const charactersPerTurn = 64 * 1024;
/** Lines in a row that are no requests, after which the connection ends. */
const maxInvalidLines = 100;
/** Time that a refused client has to read why. */
const farewellMs = 1000;

/** Serves one client until it disconnects or the attempt ends. */
export class UnitClient {
  readonly #socket: Socket;
  readonly #service: UnitService;
  /** Aborted at the end of the attempt. */
  readonly #ended: AbortSignal;
  readonly #gone = new AbortController();
  readonly #signal: AbortSignal;
  /** Lines that were received; those before `#next` are served. */
  #lines: string[] = [];
  #next = 0;
  #rest = '';
  #invalid = 0;
  #isWaiting = false;
  #isRefused = false;

  /** @param ended aborted at the end of the attempt */
  constructor(socket: Socket, service: UnitService, ended: AbortSignal) {
    this.#socket = socket;
    this.#service = service;
    this.#ended = ended;
    this.#signal = AbortSignal.any([this.#gone.signal, ended]);
    socket.on('error', () => undefined);
    socket.once('close', () => this.#gone.abort(new Error('the client has disconnected')));
    socket.setEncoding('utf8').on('data', (text: string) => this.#read(text));
    socket.on('drain', () => this.#work());
  }

  /** Ends the connection with an error. What the client sends from now on is not read. */
  refuse(code: string, message: string): void {
    const socket = this.#socket;
    this.#isRefused = true;
    this.#lines = [];
    this.#rest = '';
    socket.end(lineOf({ id: null, ok: false, error: { code, message } }));
    // A client that has read why closes its side; one that does not still goes.
    socket.resume();
    const timer = setTimeout(() => socket.destroy(), farewellMs);
    socket.once('close', () => clearTimeout(timer));
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(text: string): void {
    if (this.#isRefused) return;
    const [first = '', ...others] = text.split('\n');
    this.#lines = this.#lines.slice(this.#next).concat(this.#rest + first, others);
    this.#next = 0;
    this.#rest = this.#lines.pop() ?? '';
    this.#work();
  }

  /** Serves lines, and reads no more until they are served. */
  #work(): void {
    const socket = this.#socket;
    let characters = 0;
    for (let count = 0; this.#next < this.#lines.length && !this.#isRefused; count++) {
      socket.pause();
      // A client that does not read its answers is not read either; `drain` goes on.
      if (socket.writableNeedDrain || this.#isWaiting) return;
      if (count >= linesPerTurn || characters >= charactersPerTurn) return this.#goOnLater();
      const line = this.#lines[this.#next++] ?? '';
      characters += line.length;
      if (line.length > longestLine) return this.#refuseLong();
      if (line.trim() !== '') this.#serve(line);
    }
    if (this.#isRefused || this.#isWaiting) return;
    if (this.#rest.length > longestLine) return this.#refuseLong();
    if (!socket.writableNeedDrain) socket.resume();
  }

  #goOnLater(): void {
    this.#isWaiting = true;
    setImmediate(() => {
      this.#isWaiting = false;
      this.#work();
    });
  }

  #refuseLong(): void {
    const text = `A line has more than ${longestLine} characters; report fewer units at once`;
    this.refuse('LINE_TOO_LONG', text);
  }

  #serve(line: string): void {
    const request = parseUnitRequest(line);
    if ('reason' in request) {
      this.#invalid++;
      if (this.#invalid < maxInvalidLines) return this.#fail(request.id, 'INVALID_REQUEST', request.reason);
      return this.refuse('INVALID_REQUEST', `${request.reason}; ${maxInvalidLines} lines are no requests`);
    }
    this.#invalid = 0;
    const { open } = this.#service;
    const leave = open.enter(request.op === 'lease' ? 'lease' : 'report');
    if (leave === undefined) {
      const text = `The payload has ${open.max} open requests of this kind; wait for an answer`;
      return this.#fail(request.id, 'TOO_MANY_REQUESTS', text);
    }
    const answering = request.op === 'lease' ? this.#lease(request) : this.#report(request);
    void answering
      .catch((error: unknown) => {
        const code = error instanceof CoreRefused ? error.code : 'UNAVAILABLE';
        const message = error instanceof Error ? error.message : String(error);
        return this.#send(errorLine(request.id, code, message));
      })
      // A request is over when its answer has left: answers in memory are bounded, too.
      .then(leave);
  }

  /** Leases units; those that do not reach the client are returned. */
  async #lease({ id, op: _op, ...wanted }: Extract<UnitRequest, { op: 'lease' }>): Promise<boolean> {
    const { units, isDrained } = await this.#service.lease(wanted, this.#signal);
    const isSent = await this.#send({ id, ok: true, units, isDrained });
    if (!isSent) await this.#service.giveBack(units, 'The client has disconnected.', this.#ended);
    return isSent;
  }

  async #report(request: Exclude<UnitRequest, { op: 'lease' }>): Promise<boolean> {
    const { acceptedIds, errors } = await reported(this.#service, request, this.#signal);
    return this.#send({ id: request.id, ok: true, acceptedIds, errors });
  }

  #fail(id: RequestId, code: string, message: string): void {
    void this.#send(errorLine(id, code, message));
  }

  /** Sends an answer; false if the client does not get it. */
  #send(answer: object): Promise<boolean> {
    const socket = this.#socket;
    if (!socket.writable) return Promise.resolve(false);
    return new Promise((resolve) => socket.write(lineOf(answer), (error) => resolve(!error)));
  }
}

function reported(
  service: UnitService,
  request: Exclude<UnitRequest, { op: 'lease' }>,
  signal: AbortSignal,
): Promise<UnitReportAnswer> {
  switch (request.op) {
    case 'complete':
      return service.complete(request.units, signal);
    case 'fail':
      return service.fail(request.units, signal);
    case 'extend':
      return service.extend(request.units, signal);
  }
}

function errorLine(id: RequestId, code: string, message: string): object {
  return { id, ok: false, error: { code, message } };
}

const lineOf = (answer: object): string => `${JSON.stringify(answer)}\n`;
