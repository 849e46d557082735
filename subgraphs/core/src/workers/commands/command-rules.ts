/** Commands that follow from the jobs that a worker reports to hold. */
import type { Clock } from '@rhizome/clock';
import type { Principal } from '@rhizome/authz';
import { preemptedFor } from '../../jobs/model/preempted-for.js';
import type { Adoptions } from '../adoption/adoptions.js';
import { isSamePrincipal } from '../adoption/same-pilot.js';
import type { Ledger } from '../../scheduler/cache/ledger.js';
import type { WorkerCommand } from './worker-command.types.js';
import type { HeldJob, WorkerDocument } from '../worker.types.js';
import { currentDowntime, downtimeText } from '../../queues/downtimes/downtime-window.js';
import type { QueueFacts } from '../../queues/queue-facts.types.js';

/** Derives commands from heartbeats. */
export class CommandRules {
  readonly #ledger: Pick<Ledger, 'get'>;
  readonly #adoptions: Pick<Adoptions, 'answer'>;
  readonly #clock: Pick<Clock, 'now'>;

  constructor(ledger: Pick<Ledger, 'get'>, adoptions: Pick<Adoptions, 'answer'>, clock: Pick<Clock, 'now'>) {
    this.#ledger = ledger;
    this.#adoptions = adoptions;
    this.#clock = clock;
  }

  /**
   * Commands that follow from a heartbeat. Jobs that the ledger does not assign to this worker are looked up
   * in the store: they may have been given away while the worker was unreachable.
   */
  async forHeartbeat(
    principal: Principal,
    worker: WorkerDocument,
    queue: QueueFacts | undefined,
    held: readonly HeldJob[],
  ): Promise<readonly WorkerCommand[]> {
    const doubtful = held.filter(({ id, fence }) => {
      const entry = this.#ledger.get(id);
      return entry?.workerId !== worker._id || entry.fence !== fence;
    });
    const holder = {
      workerId: worker._id,
      queueId: worker.queueId,
      queue: worker.queue,
      actor: principal.subject,
      mayAdopt: isSamePrincipal(principal, worker),
      continues: () => false,
    };
    const answers = doubtful.length === 0 ? [] : await this.#adoptions.answer(holder, doubtful);
    return [...drainOf(worker, queue, this.#clock.now()), ...this.#preemptions(worker._id, held), ...answers];
  }

  /** Repeats the command to end preempted jobs until they have ended. */
  #preemptions(workerId: string, held: readonly HeldJob[]): readonly WorkerCommand[] {
    return held.flatMap(({ id, fence }): WorkerCommand[] => {
      const entry = this.#ledger.get(id);
      if (!entry?.preemption || entry.workerId !== workerId || entry.fence !== fence) return [];
      return [{ kind: 'PREEMPT', jobId: id, fence, reason: preemptedFor(entry.preemption) }];
    });
  }
}

/** Returns the command to drain if the worker or its queue accepts no more jobs now. */
export function drainOf(
  worker: Pick<WorkerDocument, 'state' | 'stateReason'>,
  queue: Pick<QueueFacts, 'name' | 'state' | 'downtimes'> | undefined,
  now: Date,
): readonly WorkerCommand[] {
  if (worker.state === 'DRAINING')
    return [{ kind: 'DRAIN', ...(worker.stateReason === undefined ? {} : { reason: worker.stateReason }) }];
  if (!queue) return [];
  if (queue.state === 'OFFLINE') return [{ kind: 'DRAIN', reason: `queue ${queue.name} is OFFLINE` }];
  const downtime = currentDowntime(queue.downtimes ?? [], now.getTime());
  return downtime ? [{ kind: 'DRAIN', reason: `queue ${queue.name} is ${downtimeText(downtime)}` }] : [];
}
