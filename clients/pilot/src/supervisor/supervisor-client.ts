import type { Logger } from '@rhizome/log';
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { Scratch } from '../files/scratch.js';
import type { EndReason } from '../payload/notice.js';
import { isRunning, type ProcessIdentity } from '../processes/process-identity.js';
import { killAttempt } from '../processes/sweep.js';
import type { Masked } from '../secrets/output-mask.js';
import { AttemptRecord } from './attempt-record.js';
import { connectIn } from './control-socket.js';
import { MessageSocket } from './message-socket.js';
import type {
  CoreContact,
  PilotMessage,
  StartRequest,
  SupervisedPayload,
  SupervisorFacts,
  SupervisorMessage,
} from './messages.js';
import { PayloadHandle, PayloadTaken, type PayloadControl, SupervisorEnded } from './payload-handle.js';
import { supervisorOf } from './supervisor-options.js';

/** Time for the end of a supervisor that has no payloads, or has closed the connection. */
const longestEndMs = 10_000;
/** Time between two checks that the supervisor works. */
const defaultCheckMs = 10_000;
/**
 * Checks without an answer after which it is killed. They are counted, not timed: a pilot that was suspended
 * itself finds the answers when it continues.
 */
const mostUnanswered = 6;

/** Options of a connection. */
export interface SupervisorClientOptions {
  readonly log?: Logger;
  readonly checkMs?: number;
}

interface Waiting {
  readonly resolve: (pid: number | null) => void;
  readonly reject: (error: Error) => void;
}

type Hello = Extract<SupervisorMessage, { readonly kind: 'HELLO' }>;

/** A pilot's connection to a supervisor. */
export class SupervisorClient implements PayloadControl {
  readonly #socket: MessageSocket<SupervisorMessage, PilotMessage>;
  readonly #handles = new Map<string, PayloadHandle>();
  readonly #waiting = new Map<number, Waiting>();
  #lastNumber = 0;
  #isLeaving = false;
  #isRetired = false;
  /** True once another pilot has the payloads. */
  #isReplaced = false;
  #onHello: ((hello: Hello | undefined) => void) | undefined;
  #facts: SupervisorFacts | undefined;
  readonly #log: Logger | undefined;
  readonly #checks: NodeJS.Timeout;
  #unanswered = 0;

  private constructor(
    /** The supervisor's part of the scratch space. */
    readonly folder: string,
    readonly process: ProcessIdentity,
    socket: Socket,
    { log, checkMs = defaultCheckMs }: SupervisorClientOptions,
  ) {
    this.#log = log;
    this.#checks = setInterval(() => this.#check(), checkMs);
    this.#socket = new MessageSocket(socket, (message) => this.#onMessage(message));
    void this.#socket.closed.then(() => this.#onClosed());
  }

  /** Connects to the supervisor of a folder; undefined if none runs there, or it does not answer. */
  static async connect(
    folder: string,
    options: SupervisorClientOptions = {},
  ): Promise<SupervisorClient | undefined> {
    const supervisor = supervisorOf(folder);
    const socket = supervisor && (await connectIn(folder).catch(() => undefined));
    if (supervisor === undefined || socket === undefined) return undefined;
    const client = new SupervisorClient(folder, supervisor, socket, options);
    const hello = await new Promise<Hello | undefined>((resolve) => (client.#onHello = resolve));
    return hello && client;
  }

  get facts(): SupervisorFacts {
    if (this.#facts === undefined) throw new Error('the supervisor has not answered');
    return this.#facts;
  }

  get scratch(): Scratch {
    return new Scratch(this.folder);
  }

  get isClosed(): boolean {
    return this.#socket.isClosed;
  }

  /** A payload that it runs, or whose end it has; undefined without one. */
  payload(attemptId: string): PayloadHandle | undefined {
    return this.#handles.get(attemptId);
  }

  /** @throws the error of the operating system if the payload cannot be started; SupervisorEnded */
  async start(request: StartRequest): Promise<PayloadHandle> {
    const { attemptId } = request;
    // Its end may arrive in the same moment as the answer.
    const handle = this.#addHandle(attemptId);
    try {
      handle.pid = await this.#call((number) => ({ kind: 'START', number, ...request }));
      return handle;
    } catch (error) {
      this.#handles.delete(attemptId);
      throw error;
    }
  }

  async mask(attemptId: string, texts: Masked): Promise<void> {
    const masked = texts.map((text) => text.toString('base64'));
    // A payload whose supervisor has ended writes no more.
    await this.#call((number) => ({ kind: 'MASK', number, attemptId, masked })).catch(() => undefined);
  }

  terminate(attemptId: string, graceSeconds: number | undefined): void {
    this.#socket.send({ kind: 'TERMINATE', attemptId, graceSeconds: graceSeconds ?? null });
  }

  notify(attemptId: string, reason: EndReason, seconds: number): void {
    this.#socket.send({ kind: 'NOTICE', attemptId, reason, seconds });
  }

  forget(attemptId: string): void {
    this.#handles.delete(attemptId);
    this.#socket.send({ kind: 'FORGET', attemptId });
    this.#closeIfRetired();
  }

  contact(contact: CoreContact): void {
    this.#socket.send({ kind: 'CONTACT', ...contact });
  }

  /** Gets no new payloads: it ends after the last that it has. */
  retire(): void {
    this.#isRetired = true;
    this.#closeIfRetired();
  }

  #closeIfRetired(): void {
    if (this.#isRetired && this.#handles.size === 0) void this.close();
  }

  /** Ends the connection: payloads run on, and a supervisor without payloads ends. */
  async close(): Promise<void> {
    this.#isLeaving = true;
    if (this.#handles.size > 0) return this.#socket.close();
    this.#socket.send({ kind: 'END' });
    await this.#whenEnded();
    this.#socket.close();
  }

  #onMessage(message: SupervisorMessage): void {
    switch (message.kind) {
      case 'HELLO':
        this.#facts = message;
        message.payloads.forEach((payload) => this.#know(payload));
        return this.#onHello?.(message);
      case 'DONE':
        return this.#answer(message.number)?.resolve(message.pid);
      case 'FAILED': {
        const { number, code, message: text } = message;
        return this.#answer(number)?.reject(Object.assign(new Error(text), code === null ? {} : { code }));
      }
      case 'REPLACED':
        this.#isReplaced = true;
        return this.#socket.close();
      case 'OUTPUT':
        return this.#handles.get(message.attemptId)?.output.grow(message.bytes);
      case 'NOTICED': {
        const handle = this.#handles.get(message.attemptId);
        if (handle) handle.noticedAt ??= message.at;
        return;
      }
      case 'ENDED':
        return this.#handles.get(message.attemptId)?.end(message);
    }
  }

  #know({ attemptId, pid, outputBytes, noticedAt }: SupervisedPayload): void {
    const handle = this.#addHandle(attemptId);
    handle.noticedAt = noticedAt;
    handle.pid = pid;
    handle.output.grow(outputBytes);
  }

  #addHandle(attemptId: string): PayloadHandle {
    const handle = new PayloadHandle(new AttemptRecord(this.folder, attemptId), this);
    this.#handles.set(attemptId, handle);
    return handle;
  }

  async #call(make: (number: number) => PilotMessage): Promise<number | null> {
    if (this.isClosed) throw new SupervisorEnded();
    this.#lastNumber += 1;
    const number = this.#lastNumber;
    const answer = new Promise<number | null>((resolve, reject) =>
      this.#waiting.set(number, { resolve, reject }),
    );
    this.#socket.send(make(number));
    return answer;
  }

  #check(): void {
    if (this.#unanswered >= mostUnanswered) return this.#killSilent();
    this.#unanswered += 1;
    this.#call((number) => ({ kind: 'PING', number })).then(
      () => (this.#unanswered = 0),
      () => undefined,
    );
  }

  /** A supervisor that hangs enforces no limits. Once it ends, its watchdogs end its payloads. */
  #killSilent(): void {
    this.#log?.error({ folder: this.folder }, 'supervisor of payloads killed: it did not answer');
    if (isRunning(this.process)) process.kill(this.process.pid, 'SIGKILL');
    this.#socket.close();
  }

  /** Waits for the end of the supervisor: a process that ends closes its connections first. */
  async #whenEnded(): Promise<void> {
    const deadline = performance.now() + longestEndMs;
    while (isRunning(this.process) && performance.now() < deadline) await pause(10);
  }

  #answer(number: number): Waiting | undefined {
    const waiting = this.#waiting.get(number);
    this.#waiting.delete(number);
    return waiting;
  }

  #onClosed(): void {
    clearInterval(this.#checks);
    this.#onHello?.(undefined);
    this.#waiting.forEach(({ reject }) => reject(new SupervisorEnded()));
    this.#waiting.clear();
    if (!this.#isLeaving && this.#handles.size > 0) void this.#loseAll();
  }

  /** One after the other: for each, all processes of the host are looked at. */
  async #loseAll(): Promise<void> {
    if (this.#isReplaced) return this.#handles.forEach((handle) => handle.leave(new PayloadTaken()));
    await this.#whenEnded();
    for (const [attemptId, handle] of this.#handles) await this.#lose(attemptId, handle);
  }

  /** The supervisor has ended, and its watchdogs end the payloads, unless they had ended before. */
  async #lose(attemptId: string, handle: PayloadHandle): Promise<void> {
    const end = await new AttemptRecord(this.folder, attemptId).end();
    if (end !== undefined) return handle.end(end);
    await killAttempt({ attemptId });
    handle.fail(new SupervisorEnded());
  }
}
