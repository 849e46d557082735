import { type ChildProcess, fork } from 'node:child_process';
import { setPriority } from 'node:os';
import { DomainError } from '@rhizome/errors';
import type { SupergraphFacts } from '../supergraph/supergraph.js';
import { cpuTimeMs } from './cpu-time.js';
import {
  createPlanner,
  type Planner,
  type PlannerLimits,
  type PlanReply,
  type PlanRequest,
  type ValidationReply,
} from './planner.js';

/** A planner as the engine sees it: in a separate process, or on the event loop if that does not matter. */
export interface PlanningService {
  readonly facts: SupergraphFacts;
  readonly overrides: Planner['overrides'];
  validate(query: string, operationName: string | undefined): Promise<ValidationReply | undefined>;
  plan(request: PlanRequest): Promise<PlanReply>;
  /** Frees the planner and its native memory. Calls in flight are rejected. */
  close(): Promise<void>;
}

/** Options of a planning service. */
export interface PlanningOptions extends PlannerLimits {
  readonly supergraphSdl: string;
  /** CPU time of a call in milliseconds; above it the process is ended and a new one started. */
  readonly timeoutMs: number;
}

/** Plans on the caller's thread. */
export function createInlinePlanning(options: PlanningOptions): PlanningService {
  const planner = createPlanner(options.supergraphSdl, options);
  return {
    facts: planner.facts,
    overrides: planner.overrides,
    validate: async (query, operationName) => planner.validate(query, operationName),
    plan: async (request) => planner.plan(request),
    close: async () => {},
  };
}

/** Messages to the process. */
export type PlanningCall =
  | { readonly call: 'start'; readonly supergraphSdl: string; readonly limits: PlannerLimits }
  | {
      readonly id: number;
      readonly call: 'validate';
      readonly query: string;
      readonly operationName: string | undefined;
    }
  | { readonly id: number; readonly call: 'plan'; readonly request: PlanRequest };

/** Messages from the process. */
export type PlanningMessage =
  | { readonly started: { readonly facts: SupergraphFacts; readonly overrides: Planner['overrides'] } }
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly failure: string }
  | { readonly refused: string };

type Request = Extract<PlanningCall, { id: number }>;
type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never;
type Started = Extract<PlanningMessage, { started: unknown }>['started'];

interface Pending {
  readonly request: Request;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Plans in a separate process. The planner's native memory is invisible to the garbage collector; it is freed
 * when the process ends. The planner may also abort its process (a panic in it is not caught), and an
 * operation may take too long. Both cost the process, which is started again, and never the gateway. Rejects
 * if the supergraph is invalid.
 */
export async function createProcessPlanning(options: PlanningOptions): Promise<PlanningService> {
  const process = new PlannerProcess(options);
  const { facts, overrides } = await process.start();
  const validate = (query: string, operationName: string | undefined): Promise<ValidationReply | undefined> =>
    process.call({ call: 'validate', query, operationName }) as Promise<ValidationReply | undefined>;
  return {
    facts,
    overrides,
    // Validation never ends the process: it was ended from outside.
    validate: (query, operationName) =>
      validate(query, operationName).catch((error: unknown) => {
        if (error instanceof PlannerLost && error.code !== 'LIMIT_EXCEEDED')
          return validate(query, operationName);
        throw error;
      }),
    plan: async (given) => {
      const request = process.isShaken ? { ...given, fallbackOnly: true } : given;
      try {
        return (await process.call({ call: 'plan', request })) as PlanReply;
      } catch (error) {
        if (!(error instanceof PlannerLost) || request.fallbackOnly) throw error;
        const reply = (await process.call({
          call: 'plan',
          request: { ...request, fallbackOnly: true },
        })) as PlanReply;
        return reply.outcome === 'planned' ? { ...reply, fault: error.message } : reply;
      }
    },
    close: () => process.close(),
  };
}

/** Error if the planner's process ended because of the current call. */
class PlannerLost extends DomainError {}

/** A process that uses no CPU time is abandoned after this many times its limit. */
const mostWaits = 30;

/** Number of losses within a minute after which the native planner is not used for the rest of it. */
const tolerableLosses = 5;
const lossMemoryMs = 60_000;

class PlannerProcess {
  readonly #options: PlanningOptions;
  /** In the order in which they were sent, which is the order in which they are answered. */
  readonly #pending = new Map<number, Pending>();
  #child: ChildProcess | undefined;
  #starting: Promise<Started> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #nextId = 1;
  #isClosed = false;
  /** Times at which the process was lost because of a call, most recent last. */
  #losses: number[] = [];

  constructor(options: PlanningOptions) {
    this.#options = options;
  }

  /** True if operations end the process repeatedly: after each loss all calls wait for a new one. */
  get isShaken(): boolean {
    const since = performance.now() - lossMemoryMs;
    this.#losses = this.#losses.filter((at) => at > since);
    return this.#losses.length >= tolerableLosses;
  }

  /** Starts the process and waits until its planner is built. */
  start(): Promise<Started> {
    this.#starting ??= this.#spawn().finally(() => {
      this.#starting = undefined;
    });
    return this.#starting;
  }

  async call(request: WithoutId<Request>): Promise<unknown> {
    if (!this.#child || this.#starting) await this.start();
    if (this.#isClosed) throw shuttingDown();
    return new Promise((resolve, reject) => this.#send({ ...request, id: this.#nextId++ }, resolve, reject));
  }

  /** Resolves when the process has ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    const child = this.#child;
    this.#child = undefined;
    for (const { reject } of this.#pending.values()) reject(shuttingDown());
    this.#pending.clear();
    if (!child) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.ref();
    child.kill('SIGKILL');
    await ended;
  }

  async #spawn(): Promise<Started> {
    const child = fork(new URL('./process.js', import.meta.url), {
      serialization: 'advanced',
      execArgv: [],
      env: {},
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    yieldToGateway(child);
    const started = await this.#handshake(child).catch((error: unknown) => {
      child.kill('SIGKILL');
      throw error;
    });
    if (this.#isClosed) {
      child.kill('SIGKILL');
      throw shuttingDown();
    }
    this.#child = child;
    child.unref();
    child.channel?.unref();
    child.on('exit', () => this.#lost(child, crashed()));
    return started;
  }

  #handshake(child: ChildProcess): Promise<Started> {
    const { supergraphSdl, documentTokens, expandedFields } = this.#options;
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', () => reject(crashed()));
      child.on('message', (message: PlanningMessage) => {
        if ('started' in message) resolve(message.started);
        else if ('refused' in message) reject(new Error(message.refused));
        else this.#settle(message);
      });
      child.send({
        call: 'start',
        supergraphSdl,
        limits: { documentTokens, expandedFields },
      } satisfies PlanningCall);
    });
  }

  #send(request: Request, resolve: Pending['resolve'], reject: Pending['reject']): void {
    this.#pending.set(request.id, { request, resolve, reject });
    if (this.#pending.size === 1) this.#watch();
    this.#child?.send(request);
  }

  /** Measures the time of the current call, which is the oldest one. */
  #watch(): void {
    clearTimeout(this.#timer);
    const child = this.#child;
    if (this.#pending.size === 0 || !child) {
      child?.channel?.unref();
      return;
    }
    child.channel?.ref();
    this.#limit(child, cpuTimeMs(child.pid) ?? 0, performance.now());
  }

  /**
   * Ends the process when the call has used its CPU time. Waiting for a CPU on a loaded host does not count.
   */
  #limit(child: ChildProcess, cpuBefore: number, since: number): void {
    const { timeoutMs } = this.#options;
    const waited = performance.now() - since;
    const used = waited === 0 ? 0 : (cpuTimeMs(child.pid) ?? cpuBefore + waited) - cpuBefore;
    if (used < timeoutMs && waited < mostWaits * timeoutMs) {
      this.#timer = setTimeout(() => this.#limit(child, cpuBefore, since), Math.max(10, timeoutMs - used));
      return;
    }
    this.#lost(child, tooSlow(timeoutMs));
    child.kill('SIGKILL');
  }

  #settle(message: Extract<PlanningMessage, { id: number }>): void {
    const pending = this.#pending.get(message.id);
    if (!pending) return;
    this.#pending.delete(message.id);
    this.#watch();
    if ('failure' in message) pending.reject(new Error(message.failure));
    else pending.resolve(message.answer);
  }

  /**
   * Handles the loss of the process: rejects the call that caused it and sends the others to a new process.
   */
  #lost(child: ChildProcess, reason: DomainError): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    clearTimeout(this.#timer);
    const [culprit, ...others] = this.#pending.values();
    this.#pending.clear();
    if (culprit) this.#losses.push(performance.now());
    culprit?.reject(reason);
    if (others.length === 0) return;
    this.start().then(
      () => others.forEach(({ request, resolve, reject }) => this.#send(request, resolve, reject)),
      (error: Error) => others.forEach(({ reject }) => reject(error)),
    );
  }
}

const plannerNiceness = 10;

/**
 * On hosts with few processors, a call would take the gateway's own CPU time at once and delay all callers
 * until it is done. With lower priority, it uses the CPU time that the gateway leaves.
 */
function yieldToGateway({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    setPriority(pid, plannerNiceness);
  } catch {
    // The process has ended already; its exit event reports that.
  }
}

function shuttingDown(): DomainError {
  return new DomainError('SHUTTING_DOWN', 'The engine is shutting down; try again');
}

function crashed(): DomainError {
  return new PlannerLost('INTERNAL_SERVER_ERROR', 'The query planner failed on this operation');
}

function tooSlow(timeoutMs: number): DomainError {
  return new PlannerLost(
    'LIMIT_EXCEEDED',
    `Planning the operation took more than ${timeoutMs} ms of CPU time; ask for less in one operation`,
  );
}
