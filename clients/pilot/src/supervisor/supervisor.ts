import { rm } from 'node:fs/promises';
import type { Server, Socket } from 'node:net';
import type { PayloadServices } from '../payload/payload.js';
import { ownIdentity } from '../processes/process-identity.js';
import { removeOldSecretFiles } from '../secrets/secret-files.js';
import { recordedAttempts } from './attempt-record.js';
import { listenIn } from './control-socket.js';
import { MessageSocket } from './message-socket.js';
import { monotonicMs } from './monotonic.js';
import type { CoreContact, PilotMessage, SupervisorFacts, SupervisorMessage } from './messages.js';
import { Supervised, type SupervisedListener } from './supervised.js';

/** Time between two checks of the payloads' time without core. */
const checkMs = 500;
/** Time that the pilot has for its first connection. */
const firstConnectionMs = 60_000;

type PilotSocket = MessageSocket<PilotMessage, SupervisorMessage>;
type StartMessage = Extract<PilotMessage, { readonly kind: 'START' }>;

/**
 * Runs the payloads of a pilot, and survives it. It enforces their limits, writes their logs and records
 * their ends. A payload whose pilot does not return ends when its time without core is over. The supervisor
 * ends when it has no payload and no pilot.
 */
export class Supervisor implements SupervisedListener {
  readonly #folder: string;
  readonly #facts: SupervisorFacts;
  readonly #services: PayloadServices;
  readonly #endsWithPilot: boolean;
  readonly #payloads = new Map<string, Supervised>();
  readonly #checks: NodeJS.Timeout;
  #server: Server | undefined;
  #pilot: PilotSocket | undefined;
  #contact: CoreContact = { answeredAtMs: monotonicMs(), leaseSeconds: 0 };
  readonly #starts = new Set<Promise<void>>();
  #resolveEnded: () => void = () => undefined;
  readonly ended = new Promise<void>((resolve) => (this.#resolveEnded = resolve));

  /**
   * @param folder the supervisor's own folder in the scratch space
   * @param endsWithPilot true if it ends when the pilot dies; then its watchdogs end the payloads
   */
  constructor(folder: string, facts: SupervisorFacts, services: PayloadServices, endsWithPilot: boolean) {
    this.#folder = folder;
    this.#facts = facts;
    this.#services = services;
    this.#endsWithPilot = endsWithPilot;
    this.#checks = setInterval(() => this.#endSilent(), checkMs);
  }

  /** Waits for pilots. */
  async listen(): Promise<void> {
    this.#server = await listenIn(this.#folder, (socket) => this.#onConnection(socket));
    setTimeout(() => void this.#endIfIdle(), firstConnectionMs).unref();
  }

  onOutput(attemptId: string, bytes: number): void {
    this.#pilot?.send({ kind: 'OUTPUT', attemptId, bytes });
  }

  onNoticed(attemptId: string, at: string): void {
    this.#pilot?.send({ kind: 'NOTICED', attemptId, at });
  }

  onEnded(attemptId: string, end: NonNullable<Supervised['end']>): void {
    this.#pilot?.send({ kind: 'ENDED', attemptId, ...end });
  }

  /** The newest pilot replaces the one before. */
  #onConnection(socket: Socket): void {
    this.#pilot?.send({ kind: 'REPLACED' });
    this.#pilot?.end();
    const pilot: PilotSocket = new MessageSocket(socket, (message) => {
      if (this.#pilot === pilot) this.#onMessage(message, pilot);
    });
    this.#pilot = pilot;
    void this.#greet(pilot);
    void pilot.closed.then(() => {
      if (this.#pilot !== pilot) return;
      this.#pilot = undefined;
      if (this.#endsWithPilot && this.#payloads.size > 0)
        void removeOwnSecrets().finally(() => this.#resolveEnded());
      else void this.#endIfIdle();
    });
  }

  /** Waits for payloads that are being started: a pilot that does not see one would start it again. */
  async #greet(pilot: PilotSocket): Promise<void> {
    await Promise.all(this.#starts);
    const all = [...this.#payloads.values()];
    const payloads = all.map(({ attemptId, pid, outputBytes, noticedAt }) => ({
      ...{ attemptId, pid, outputBytes },
      ...(noticedAt === undefined ? {} : { noticedAt }),
    }));
    pilot.send({ kind: 'HELLO', ...this.#facts, payloads });
    for (const { attemptId, end } of all) if (end !== undefined) this.onEnded(attemptId, end);
  }

  #onMessage(message: PilotMessage, pilot: PilotSocket): void {
    switch (message.kind) {
      case 'START':
        return this.#beginStart(message, pilot);
      case 'MASK':
        this.#payloads.get(message.attemptId)?.mask(message.masked);
        return acknowledge(message.number, pilot);
      case 'PING':
        return acknowledge(message.number, pilot);
      case 'TERMINATE':
        return this.#payloads.get(message.attemptId)?.terminate(message.graceSeconds ?? undefined);
      case 'NOTICE':
        return this.#payloads.get(message.attemptId)?.notify(message.reason, message.seconds);
      case 'CONTACT':
        this.#contact = message;
        return;
      case 'FORGET':
        return this.#payloads.get(message.attemptId)?.forget();
      case 'END':
        return pilot.end();
    }
  }

  #beginStart(message: StartMessage, pilot: PilotSocket): void {
    const start = this.#start(message, pilot).finally(() => {
      this.#starts.delete(start);
      void this.#endIfIdle();
    });
    this.#starts.add(start);
  }

  /** Answers the pilot that asked: another one, which has connected since, uses the same numbers. */
  async #start(message: StartMessage, pilot: PilotSocket): Promise<void> {
    const { number, attemptId } = message;
    try {
      const payload = await Supervised.start(this.#folder, message, this.#services, this);
      this.#payloads.set(attemptId, payload);
      void payload.done.then(() => {
        this.#payloads.delete(attemptId);
        void this.#endIfIdle();
      });
      pilot.send({ kind: 'DONE', number, pid: payload.pid });
    } catch (error) {
      const { code = null, message: text } = error as NodeJS.ErrnoException;
      pilot.send({ kind: 'FAILED', number, code, message: text });
    }
  }

  #endSilent(): void {
    const now = monotonicMs();
    for (const payload of this.#payloads.values()) payload.endIfSilent(this.#contact, now);
  }

  async #endIfIdle(): Promise<void> {
    const isIdle = this.#pilot === undefined && this.#payloads.size === 0 && this.#starts.size === 0;
    if (!isIdle || this.#server?.listening !== true) return;
    clearInterval(this.#checks);
    this.#server.close();
    await this.#services.watchdogs.close();
    // Those that a pilot has received for payloads that it did not start.
    await removeOwnSecrets();
    // Ends that no pilot has seen stay.
    if ((await recordedAttempts(this.#folder)).length === 0)
      await rm(this.#folder, { recursive: true, force: true });
    this.#resolveEnded();
  }
}

function acknowledge(number: number, pilot: PilotSocket): void {
  pilot.send({ kind: 'DONE', number, pid: null });
}

/** Removes all secrets that end with this process. */
async function removeOwnSecrets(): Promise<void> {
  await removeOldSecretFiles([ownIdentity()], new Set());
}
