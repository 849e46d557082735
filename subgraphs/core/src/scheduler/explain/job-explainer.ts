/** Explains why jobs wait, from what one process knows. */
import type { Clock } from '@rhizome/clock';
import { isHeld, isTerminal } from '../../jobs/model/job-state.js';
import type { StoredRequirements } from '../../jobs/model/job.types.js';
import { classIdOf } from '../../jobs/model/requirement-class-id.js';
import type { LimitedTask, LimitedTaskFeed } from '../../tasks/limits/limited-task.types.js';
import type { HostTests } from '../dispatch/host-tests.js';
import type { SuspendedTaskFeed } from '../../tasks/control/suspended-task.types.js';
import type { GrantHistory } from '../cache/grant-history.js';
import { experimentOf } from '../cache/ready-windows.js';
import type { SchedulerCache } from '../cache/scheduler-cache.js';
import type { WindowFeed } from '../cache/window-feed.js';
import { prepareClass, type RequirementClass } from '../requirements/requirement-class.js';
import type { RequirementClasses } from '../requirements/requirement-classes.js';
import { fleetFacts } from './fleet-facts.js';
import { contactReason, type Silence } from './lost-contact.js';
import { explainPending, type PendingWorld, type PositionInShare } from './pending.js';
import type { FleetFacts, PendingFacts, WaitingJob } from './pending.types.js';
import { positionOf } from './queue-position.js';

/** Dependencies of {@link JobExplainer}. */
export interface JobExplainerOptions {
  readonly cache: Pick<SchedulerCache, 'fleet' | 'ledger'>;
  readonly classes: Pick<RequirementClasses, 'load' | 'get'>;
  readonly suspendedTasks: Pick<SuspendedTaskFeed, 'get'>;
  readonly limitedTasks: Pick<LimitedTaskFeed, 'get'>;
  readonly clock: Clock;
  /** End of the lease of a worker that is unreachable; undefined for others. */
  readonly unreachableSince: (workerId: string) => Date | undefined;
  /** The silence of a worker whose lease does not end because the lease clock stands still. */
  readonly silenceOf: (workerId: string) => Promise<Silence | undefined>;
  /** Tests of hosts. */
  readonly tests: Pick<HostTests, 'canaryOnlyUntil' | 'problemOf'>;
  /** Number of ready jobs of a share, from the maintained counts. */
  readonly readyCount?: ((share: string) => number) | undefined;
}

/** Knowledge of the leading process. */
export interface LeaderKnowledge {
  readonly feed: Pick<WindowFeed, 'windows' | 'readWindowsOf'>;
  readonly history: GrantHistory;
}

/** Requirements that a job may be submitted with. */
export interface RequestedRequirements {
  readonly requirements: StoredRequirements;
  /** `experiment/leaf`. */
  readonly share: string;
  readonly priority: number;
}

/** Time for which fleet facts of a class are cached. */
const factsKeptMs = 250;
const maxFactsKept = 256;

/** Explains why jobs wait. */
export class JobExplainer {
  readonly #options: JobExplainerOptions;
  readonly #leader: () => LeaderKnowledge | undefined;
  readonly #facts = new Map<string, { readonly facts: FleetFacts; readonly atMs: number }>();

  /** @param leader undefined while this process does not lead */
  constructor(options: JobExplainerOptions, leader: () => LeaderKnowledge | undefined) {
    this.#options = options;
    this.#leader = leader;
  }

  /**
   * Explains why a job waits; null if a worker in contact has it, it has ended, or its class is not stored.
   */
  async pending(job: WaitingJob): Promise<PendingFacts | null> {
    const { classes, unreachableSince, silenceOf, clock } = this.#options;
    const silence =
      isHeld(job.state) && job.workerId !== undefined ? await silenceOf(job.workerId) : undefined;
    const contact = contactReason(job, { unreachableSince, silence, now: clock.now() });
    if (isTerminal(job.state) || (isHeld(job.state) && contact === undefined)) return null;
    await classes.load([job.classId]);
    const cls = classes.get(job.classId);
    if (!cls) return null;
    const task = job.taskId === undefined ? undefined : this.#options.suspendedTasks.get(job.taskId);
    const taskLimit = this.#reachedLimit(job.taskId);
    const isStopped = task !== undefined || taskLimit !== undefined;
    const position = job.state === 'ACTIVATED' && !isStopped ? await this.#positionOf(job) : null;
    const world = { ...this.#world(), task, taskLimit };
    const facts = explainPending(job, cls, world, position, this.#factsOf(cls, job.share));
    if (contact === undefined) return facts;
    if (isHeld(job.state)) return { ...facts, kind: 'CONTACT_LOST', summary: contact };
    return { ...facts, summary: `${contact} ${facts.summary}` };
  }

  /** Explains why a new job with these requirements would wait. */
  async explain({ requirements, share, priority }: RequestedRequirements): Promise<PendingFacts> {
    const { classes } = this.#options;
    const classId = classIdOf(requirements);
    await classes.load([classId]);
    // A class that was never submitted is in no cache: its index is outside those of the classes in memory.
    const cls = classes.get(classId) ?? prepareClass(classId, -1, requirements);
    const job: WaitingJob = {
      _id: '￿',
      state: 'ACTIVATED',
      share,
      owner: '',
      priority,
      classId,
      waitingFor: [],
    };
    return explainPending(job, cls, this.#world(), await this.#positionOf(job));
  }

  #reachedLimit(taskId: string | undefined): LimitedTask | undefined {
    const { limitedTasks, cache } = this.#options;
    const task = taskId === undefined ? undefined : limitedTasks.get(taskId);
    return task && cache.ledger.taskJobs(task.id) >= task.limit ? task : undefined;
  }

  /** Position of a ready job, if this process knows it. */
  async #positionOf(job: WaitingJob): Promise<PositionInShare> {
    const { feed } = this.#leader() ?? {};
    if (!feed) return { position: null, isPositionEstimated: false, inClass: null };
    await feed.readWindowsOf(job.share);
    const { windows } = feed;
    const key = { priority: job.priority, id: job._id };
    const nowMs = this.#options.clock.now().getTime();
    const ready = this.#options.readyCount?.(job.share);
    const limited = job.taskId === undefined ? undefined : this.#options.limitedTasks.get(job.taskId);
    const own = windows.find(job.share, job.classId, limited?.id);
    return positionOf(windows.of(job.share), key, ready, nowMs, own);
  }

  #world(): PendingWorld {
    const { cache, clock, tests } = this.#options;
    return {
      canaryOnlyUntil: (host) => tests.canaryOnlyUntil(host),
      hostTestProblem: (queue) => tests.problemOf(queue),
      fleet: cache.fleet,
      ledger: cache.ledger,
      history: this.#leader()?.history,
      nowMs: clock.monotonicMs(),
      wallMs: clock.now().getTime(),
    };
  }

  /** Cached fleet facts for a class: a page of jobs requests the same facts repeatedly. */
  #factsOf(cls: RequirementClass, share: string): FleetFacts {
    const now = this.#options.clock.monotonicMs();
    const key = `${cls.id} ${experimentOf(share)}`;
    const known = this.#facts.get(key);
    if (known && now - known.atMs < factsKeptMs) return known.facts;
    const facts = fleetFacts(cls, experimentOf(share), this.#world());
    if (this.#facts.size >= maxFactsKept) this.#facts.clear();
    this.#facts.set(key, { facts, atMs: this.#options.clock.monotonicMs() });
    return facts;
  }
}
