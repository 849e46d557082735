/**
 * Commands to the workers that subscribe at this process: kills, drops, preemptions and drains at once,
 * notices of new work at most once a second.
 */
import type { Clock } from '@rhizome/clock';
import { PushQueue } from '@rhizome/subgraph';
import type { SchedulerCache } from '../../scheduler/cache/scheduler-cache.js';
import { givesAway } from '../../scheduler/dispatch/requeue-grants.js';
import { experimentOf } from '../../scheduler/cache/ready-windows.js';
import type { RequirementClasses } from '../../scheduler/requirements/requirement-classes.js';
import { isHeld } from '../../jobs/model/job-state.js';
import { drainOf } from './command-rules.js';
import type { WorkerCommand } from './worker-command.types.js';
import type { WorkerFacts } from '../../scheduler/worker-facts.types.js';
import type { QueueFacts } from '../../queues/queue-facts.types.js';
import type { JobEvent } from '../../jobs/model/job-event.types.js';

/** One message to a worker. */
export interface CommandsMessage {
  readonly sequence: number;
  readonly commands: readonly WorkerCommand[];
}

/** Dependencies of {@link CommandHub}. */
export interface CommandHubOptions {
  readonly cache: SchedulerCache;
  readonly classes: RequirementClasses;
  readonly clock: Pick<Clock, 'now'>;
  /** Least time between two notices of new work to one worker, in milliseconds. */
  readonly workEveryMs?: number;
}

interface Listener {
  readonly stream: PushQueue<CommandsMessage>;
  sequence: number;
}

/**
 * Most combinations of share and class that became ready and are not announced yet; above it every worker is
 * notified.
 */
const maxKinds = 1000;

/** Most messages queued for a slow worker; above it the stream ends, and the worker opens another. */
const maxWaiting = 10_000;

/** Delivers commands to the workers that subscribe at this process. */
export class CommandHub {
  readonly #options: CommandHubOptions;
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #ready = new Map<string, { readonly classId: string; readonly share: string }>();
  #stops: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(options: CommandHubOptions) {
    this.#options = options;
  }

  /** Follows events of jobs and changes of queues. */
  start(): void {
    const { cache, workEveryMs = 1000 } = this.#options;
    this.#stops.push(
      cache.onChange({
        events: (events) => this.#applyEvents(events),
        queues: (queues) => this.#drainClosed(queues),
      }),
    );
    this.#timer = setInterval(() => this.#announceWork(), workEveryMs);
    this.#timer.unref();
  }

  /** Ends all streams. */
  stop(): void {
    clearInterval(this.#timer);
    for (const stop of this.#stops) stop();
    for (const listeners of this.#listeners.values()) for (const { stream } of listeners) stream.finish();
    this.#listeners.clear();
  }

  /**
   * Commands to one worker from now on; the first message has those that apply already. Ends when the
   * iterator is closed.
   */
  listen(workerId: string, opening: readonly WorkerCommand[]): AsyncIterableIterator<CommandsMessage> {
    const listeners = this.#listeners.get(workerId) ?? new Set<Listener>();
    this.#listeners.set(workerId, listeners);
    const onEnd = (): void => {
      listeners.delete(listener);
      if (listeners.size === 0) this.#listeners.delete(workerId);
    };
    const stream = new PushQueue<CommandsMessage>({ bound: maxWaiting, onEnd });
    const listener: Listener = { stream, sequence: 0 };
    listeners.add(listener);
    this.#push(listener, opening);
    return stream;
  }

  /** Sends commands to a worker, if it subscribes here. */
  issue(workerId: string, commands: readonly WorkerCommand[]): void {
    for (const listener of this.#listeners.get(workerId) ?? []) this.#push(listener, commands);
  }

  /** Takes a changed worker, and commands it to drain if it is DRAINING. */
  drainIfDraining(worker: WorkerFacts): void {
    if (worker.state === 'DRAINING')
      this.issue(worker.id, drainOf(worker, undefined, this.#options.clock.now()));
  }

  #push(listener: Listener, commands: readonly WorkerCommand[]): void {
    listener.stream.push({ sequence: listener.sequence, commands });
    listener.sequence += 1;
  }

  #applyEvents(events: readonly JobEvent[]): void {
    if (this.#listeners.size === 0) return;
    const orders = new Map<string, WorkerCommand[]>();
    for (const { jobId, last } of events) {
      if (last.to === 'ACTIVATED') this.#recordReady(last);
      const kind = orderFor(last);
      if (!kind || last.workerId === undefined || !this.#listeners.has(last.workerId)) continue;
      const reason = last.reason ?? `the job is ${last.to}`;
      // A transition that takes a job from its worker raises the fence by one.
      const fence = kind === 'PREEMPT' ? last.fence : last.fence - 1;
      const command: WorkerCommand = { kind, jobId, fence, reason };
      orders.set(last.workerId, [...(orders.get(last.workerId) ?? []), command]);
    }
    for (const [workerId, commands] of orders) this.issue(workerId, commands);
  }

  #recordReady({ classId, share }: JobEvent['last']): void {
    if (this.#ready.size < maxKinds) this.#ready.set(`${share} ${classId}`, { classId, share });
  }

  #announceWork(): void {
    const kinds = [...this.#ready.values()];
    this.#ready.clear();
    if (kinds.length === 0) return;
    for (const workerId of this.#listeners.keys()) {
      if (this.#mayWork(workerId, kinds))
        this.issue(workerId, [{ kind: 'WORK', reason: 'jobs became ready' }]);
    }
  }

  #mayWork(
    workerId: string,
    kinds: readonly { readonly classId: string; readonly share: string }[],
  ): boolean {
    const { fleet, ledger } = this.#options.cache;
    const worker = fleet.worker(workerId);
    if (worker?.facts.state !== 'READY' || ledger.workerUse(workerId).cores >= worker.facts.hardware.cores)
      return false;
    if (kinds.length >= maxKinds) return true;
    const { experiments } = worker.shape.queue;
    return kinds.some(({ classId, share }) => {
      const cls = this.#options.classes.get(classId);
      // A class that this process has not read may fit: an extra call costs little, missed work much.
      return (
        (experiments.length === 0 || experiments.includes(experimentOf(share))) && (!cls || worker.fits(cls))
      );
    });
  }

  /** Drains the workers of queues that were set OFFLINE or for which a downtime has begun. */
  #drainClosed(queues: readonly QueueFacts[]): void {
    const { cache, clock } = this.#options;
    const now = clock.now();
    const closed = queues.filter((queue) => drainOf({ state: 'READY' }, queue, now).length > 0);
    if (closed.length === 0) return;
    const byId = new Map(closed.map((queue) => [queue.id, queue]));
    for (const workerId of [...this.#listeners.keys()]) {
      const worker = cache.fleet.worker(workerId);
      const queue = worker && byId.get(worker.facts.queueId);
      if (worker && queue) this.issue(workerId, drainOf(worker.facts, queue, now));
    }
  }
}

/** Command that an event means for the worker that has or had the job. */
function orderFor({
  from,
  to,
  actor,
  preemption,
}: JobEvent['last']): 'KILL' | 'DROP' | 'PREEMPT' | undefined {
  if (preemption) return 'PREEMPT';
  if (from === null || !isHeld(from) || isHeld(to)) return undefined;
  if (to === 'CANCELLED' || to === 'CLOSED') return 'KILL';
  // A report of the worker ends a job as well; only a revocation by core is news to it.
  // The worker of a job that was given away may return and continue it.
  return actor.startsWith('system:') && actor !== givesAway ? 'DROP' : undefined;
}
