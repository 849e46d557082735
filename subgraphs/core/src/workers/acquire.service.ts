/** Validates and authorizes `acquireJobs`, and answers it in this process or forwards it to the leader. */
import { experimentsFor, type Principal } from '@rhizome/authz';
import { DomainError, InputErrors } from '@rhizome/errors';
import type { SchedulerService } from '../scheduler/dispatch/scheduler.service.js';
import type { Capacity, Grant } from '../scheduler/scheduler.types.js';
import { type ForwardedAnswer, type ForwardedCall } from '../scheduler/leader/forwarding.js';
import type { Leadership } from '../scheduler/leader/leadership.js';
import type { WorkerReturns } from './adoption/worker-returns.js';
import { workerLimits } from './worker.document.js';
import type { WorkerAccess } from './worker-access.js';
import { rejectUnknownOrLost, type AccessCode, type WorkerProblem } from './worker-errors.js';
import type { WorkerRegistry } from './worker-registry.js';

/** Input of `acquireJobs`. */
export interface AcquireSpec {
  readonly workerId: string;
  readonly count?: number | null | undefined;
  readonly free: Capacity;
  readonly freeDeviceIds?: readonly string[] | null | undefined;
  readonly remainingSeconds?: number | null | undefined;
  readonly waitSeconds?: number | null | undefined;
}

/** Context of a call of `acquireJobs`. */
export interface AcquireCaller {
  readonly principal: Principal;
  readonly requestId: string;
  readonly signal?: AbortSignal | undefined;
  /** The call was forwarded by another core process, which took this one for the leader. */
  readonly isForwarded: boolean;
}

/** The granted jobs, or the reasons for a refusal. */
export interface AcquireResult {
  readonly assignments: readonly Grant[];
  readonly userErrors: readonly WorkerProblem<AccessCode>[];
}

/** Dependencies of {@link AcquireService}. */
export interface AcquireOptions {
  readonly scheduler: Pick<SchedulerService, 'acquire' | 'isLeading'>;
  readonly leadership: Pick<Leadership, 'leaderUrl' | 'onLeaderChanged'>;
  readonly registry: Pick<WorkerRegistry, 'find'>;
  /** Adds a worker to the scheduler's cache before the event stream reports it. */
  readonly admit: (worker: { readonly id: string; readonly queueId: string }) => Promise<void>;
  readonly access: WorkerAccess;
  readonly returns: Pick<WorkerReturns, 'present'>;
  readonly forward: (url: string, call: ForwardedCall) => Promise<ForwardedAnswer>;
  /** URL at which this process accepts calls; undefined for a single process. */
  readonly ownUrl?: (() => string | undefined) | undefined;
}

/** Longest time to answer a call that does not wait, in milliseconds. */
const immediateMs = 5000;
const longestWaitMs = 60_000;
const nothing: AcquireResult = { assignments: [], userErrors: [] };

/** Grants jobs to workers. */
export class AcquireService {
  readonly #options: AcquireOptions;

  constructor(options: AcquireOptions) {
    this.#options = options;
  }

  /**
   * Grants matching jobs to a worker; no jobs once its waiting time is over, however slow the store and the
   * leader are.
   * @throws DomainError LEADER_UNAVAILABLE while no process leads; FORBIDDEN
   */
  acquire(spec: AcquireSpec, caller: AcquireCaller): Promise<AcquireResult> {
    const waitMs = (spec.waitSeconds ?? 0) * 1000;
    // A forwarded call ends before the one that it was forwarded for.
    const limitMs = waitMs > 0 ? waitMs : caller.isForwarded ? immediateMs - 1000 : immediateMs;
    return withinTime(Math.min(limitMs, longestWaitMs), caller.signal, nothing, (signal) =>
      this.#acquire(spec, { ...caller, signal }),
    );
  }

  async #acquire(spec: AcquireSpec, caller: AcquireCaller): Promise<AcquireResult> {
    const known = await this.#options.access.workerFor(
      caller.principal,
      'job:acquire',
      await this.#options.registry.find(spec.workerId),
    );
    const worker = known && (await this.#options.returns.present(caller.principal, known));
    const refusal = rejectUnknownOrLost(spec.workerId, worker);
    if (!worker || refusal) return { assignments: [], userErrors: refusal ? [refusal] : [] };
    const errors = check(spec);
    if (!errors.isEmpty) return { assignments: [], userErrors: errors.all };
    if (!this.#options.scheduler.isLeading) return this.#forwardToLeader(spec, caller);
    await this.#options.admit({ id: worker._id, queueId: worker.queueId });
    const { workerId, count, free, freeDeviceIds, remainingSeconds, waitSeconds } = spec;
    const experiments = experimentsFor(caller.principal, 'job:acquire');
    const request = {
      workerId,
      count: count ?? 1,
      free,
      freeDeviceIds: freeDeviceIds ?? [],
      ...(experiments === '*' ? {} : { experiments }),
      ...(typeof remainingSeconds === 'number' ? { remainingSeconds } : {}),
    };
    const assignments = await this.#options.scheduler.acquire({
      request,
      waitSeconds: waitSeconds ?? 0,
      signal: caller.signal,
    });
    return { assignments, userErrors: [] };
  }

  async #forwardToLeader(
    spec: AcquireSpec,
    { principal, requestId, signal, isForwarded }: AcquireCaller,
  ): Promise<AcquireResult> {
    const { leadership, forward, ownUrl } = this.#options;
    const url = leadership.leaderUrl();
    if (isForwarded || url === undefined || url === ownUrl?.()) {
      throw new DomainError(
        'LEADER_UNAVAILABLE',
        'No broker leads at the moment; try again in a few seconds.',
      );
    }
    // A leader that hangs, or is cut off, would keep the caller waiting. As soon as another process leads,
    // the caller may try again.
    const replaced = new AbortController();
    const forget = leadership.onLeaderChanged(() => replaced.abort());
    const until = signal ? AbortSignal.any([signal, replaced.signal]) : replaced.signal;
    const waitSeconds = Math.max((spec.waitSeconds ?? 0) - 1, Math.min(spec.waitSeconds ?? 0, 1));
    const call = { input: { ...spec, waitSeconds }, token: principal.token, requestId, signal: until };
    const answer = await forward(url, call).finally(forget);
    return {
      assignments: answer.assignments.map(({ job, ...grant }) => ({ jobId: job.id, ...grant })),
      userErrors: answer.userErrors.map(({ message, path, code }) => ({
        message,
        path,
        code: code as AccessCode,
      })),
    };
  }
}

/**
 * Runs a task for a limited time. After it, or when the caller's signal is aborted, the signal of the task is
 * aborted and the fallback is the answer.
 */
function withinTime<T>(
  ms: number,
  callerSignal: AbortSignal | undefined,
  fallback: T,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const over = new AbortController();
  const end = (): void => over.abort();
  const timer = setTimeout(end, ms);
  if (callerSignal?.aborted) end();
  callerSignal?.addEventListener('abort', end, { once: true });
  const isOver = new Promise<T>((resolve) => {
    if (over.signal.aborted) resolve(fallback);
    over.signal.addEventListener('abort', () => resolve(fallback), { once: true });
  });
  return Promise.race([run(over.signal), isOver]).finally(() => {
    clearTimeout(timer);
    callerSignal?.removeEventListener('abort', end);
  });
}

function check({
  count,
  free,
  freeDeviceIds,
  remainingSeconds,
  waitSeconds,
}: AcquireSpec): InputErrors<AccessCode> {
  const errors = new InputErrors<AccessCode>();
  errors.int(['count'], count, 1, 1000);
  errors.int(['free', 'cores'], free.cores, 0, 4096);
  errors.int(['free', 'memoryMiB'], free.memoryMiB, 0, 16_777_216);
  errors.int(['free', 'diskMiB'], free.diskMiB, 0, 1_073_741_824);
  errors.distinct(['freeDeviceIds'], freeDeviceIds ?? [], workerLimits.devices);
  errors.int(['remainingSeconds'], remainingSeconds, 0, 2_147_483_647);
  errors.int(['waitSeconds'], waitSeconds, 0, 60);
  return errors;
}
