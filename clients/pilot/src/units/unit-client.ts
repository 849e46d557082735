/** One client of the local protocol: lines in, lines out. */
import type { Socket } from 'node:net';
import type { UnitCalls } from '../protocol/unit-calls.js';
import { CoreRefused } from '../protocol/core-protocol.js';
import { untilAnswered } from '../protocol/until-answered.js';
import { parseUnitRequest, type RequestId, type UnitRequest } from './unit-request.js';

/** Largest line in characters: results of 1 MiB together, and what JSON adds to them. */
export const longestLine = 2 * 1024 * 1024;

/** Requests of all clients of an attempt that are open at once. */
export class OpenRequests {
  readonly #max: number;
  readonly #open = { lease: 0, report: 0 };

  /** @param max of leases, and as many of reports: calls that wait for units do not keep reports out */
  constructor(max: number) {
    this.#max = max;
  }

  /** Opens a request; the result ends it. Undefined if there are too many. */
  enter(op: UnitRequest['op']): (() => void) | undefined {
    const kind = op === 'lease' ? 'lease' : 'report';
    if (this.#open[kind] >= this.#max) return undefined;
    this.#open[kind]++;
    return () => this.#open[kind]--;
  }

  get max(): number {
    return this.#max;
  }
}

/** Services for a client. */
export interface UnitClientServices {
  readonly calls: UnitCalls;
  readonly open: OpenRequests;
  /** Aborted at the end of the attempt. */
  readonly signal: AbortSignal;
}

/** Serves one client until it disconnects or the attempt ends. */
export class UnitClient {
  readonly #socket: Socket;
  readonly #services: UnitClientServices;
  readonly #gone = new AbortController();
  readonly #signal: AbortSignal;
  #rest = '';

  constructor(socket: Socket, services: UnitClientServices) {
    this.#socket = socket;
    this.#services = services;
    this.#signal = AbortSignal.any([this.#gone.signal, services.signal]);
    socket.on('error', () => undefined);
    socket.once('close', () => this.#gone.abort(new Error('the client has disconnected')));
    socket.setEncoding('utf8').on('data', (text: string) => this.#read(text));
    // A client that does not read its answers is not read either.
    socket.on('drain', () => socket.resume());
  }

  /** Ends the connection with an error. */
  refuse(code: string, message: string): void {
    this.#socket.removeAllListeners('data');
    this.#socket.resume();
    this.#socket.end(lineOf({ id: null, ok: false, error: { code, message } }));
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(text: string): void {
    const [first = '', ...others] = text.split('\n');
    const lines = [this.#rest + first, ...others];
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line.length > longestLine) return this.#refuseLong();
      if (line.trim() !== '') this.#serve(line);
    }
    if (this.#rest.length > longestLine) this.#refuseLong();
  }

  #refuseLong(): void {
    this.#rest = '';
    this.refuse(
      'LINE_TOO_LONG',
      `A line has more than ${longestLine} characters; report fewer units at once`,
    );
  }

  #serve(line: string): void {
    const request = parseUnitRequest(line);
    if ('reason' in request) return this.#fail(request.id, 'INVALID_REQUEST', request.reason);
    const { open } = this.#services;
    const leave = open.enter(request.op);
    if (leave === undefined) {
      const text = `The payload has ${open.max} open requests of this kind; wait for an answer`;
      return this.#fail(request.id, 'TOO_MANY_REQUESTS', text);
    }
    void this.#answer(request)
      .catch((error: unknown) => {
        const code = error instanceof CoreRefused ? error.code : 'UNAVAILABLE';
        return errorLine(request.id, code, error instanceof Error ? error.message : String(error));
      })
      .then((answer) => this.#send(answer, leave));
  }

  async #answer(request: UnitRequest): Promise<object> {
    const { id } = request;
    const { calls } = this.#services;
    const signal = this.#signal;
    const repeated = <T>(call: () => Promise<T>): Promise<T> => untilAnswered(call, signal);
    if (request.op === 'lease') {
      const { pool, max, waitSeconds } = request;
      const { units, isDrained } = await repeated(() => calls.lease({ pool, max, waitSeconds }, signal));
      return { id, ok: true, units, isDrained };
    }
    const { acceptedIds, errors } = await repeated(() => report(calls, request, signal));
    return { id, ok: true, acceptedIds, errors };
  }

  #fail(id: RequestId, code: string, message: string): void {
    this.#send(errorLine(id, code, message), () => undefined);
  }

  #send(answer: object, sent: () => void): void {
    if (!this.#socket.writable) return sent();
    // A request is over when its answer has left: answers in memory are bounded, too.
    if (!this.#socket.write(lineOf(answer), () => sent())) this.#socket.pause();
  }
}

function report(calls: UnitCalls, request: Exclude<UnitRequest, { op: 'lease' }>, signal: AbortSignal) {
  switch (request.op) {
    case 'complete':
      return calls.complete(request.units, signal);
    case 'fail':
      return calls.fail(request.units, signal);
    case 'extend':
      return calls.extend(request.units, signal);
  }
}

function errorLine(id: RequestId, code: string, message: string): object {
  return { id, ok: false, error: { code, message } };
}

const lineOf = (answer: object): string => `${JSON.stringify(answer)}\n`;
