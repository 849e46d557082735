/**
 * Begins the canary jobs of queues, and records their results, while this process leads. A run is recorded
 * before its job is submitted, under the key of the submit: a leader that ends in between leaves what the
 * next one repeats, and of two leaders only one records a run.
 */
import type { Clock } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import type { QueueDocument } from '../../queues/queue.document.js';
import { canaryOf } from '../../queues/canary.js';
import type { QueueHost } from '../../scheduler/cache/host-standing.types.js';
import { LeaderTask, type LeaderWork, repeat } from '../../shared/leader-task.js';
import type { JobSpec } from '../../jobs/submit/submit.types.js';
import { isHeld, isTerminal } from '../../jobs/model/job-state.js';
import type { CanariesRepository } from './canaries.repository.js';
import {
  type CanaryJob,
  canaryJob,
  currentCanary,
  isObsolete,
  noCanaries,
  revised,
  runsDue,
  withoutOldProblems,
  withResults,
  withSubmit,
} from './canary-plan.js';
import type { CanaryDocument, CanaryRun } from './canary.document.js';
import {
  canaryOnlyUntil,
  type HalfOpenHost,
  hostsDue,
  isNeedless,
  type TestedQueue,
} from './host-canaries.js';

/** A job to submit in the name of core. */
export interface CanarySubmit {
  readonly experiment: string;
  readonly key: string;
  readonly job: JobSpec;
}

/** A host whose exclusion is over, as the fleet and the stored hosts show it. */
export interface FoundHost extends Pick<HalfOpenHost, 'since' | 'isTested'> {
  readonly host: string;
  /** True if it has a READY worker. */
  readonly isReady: boolean;
}

/** Dependencies of {@link CanaryRunner}. */
export interface CanaryRunnerOptions {
  readonly repository: Pick<CanariesRepository, 'all' | 'find' | 'write'>;
  readonly queues: { all(): readonly QueueDocument[]; peek(id: string): QueueDocument | undefined };
  /** HALF_OPEN hosts by the names of their queues. */
  readonly halfOpen: () => ReadonlyMap<string, readonly FoundHost[]>;
  /** Submits a job, or says why it was refused. A repetition with the same key returns the same job. */
  readonly submit: (one: CanarySubmit) => Promise<{ readonly jobId: string } | { readonly refusal: string }>;
  /** Cancels a job of an experiment. @throws Error if it was refused */
  readonly cancel: (experiment: string, jobId: string) => Promise<void>;
  readonly jobs: (ids: readonly string[]) => Promise<readonly CanaryJob[]>;
  readonly leader: LeaderWork;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'warn' | 'error'>;
  /** Time between two steps, in milliseconds; defaults to 2000. */
  readonly stepMs?: number | undefined;
}

/** Hosts of a queue without HALF_OPEN ones. */
const none: ReadonlyMap<string, HalfOpenHost> = new Map();

/** Runs canary jobs. */
export class CanaryRunner {
  readonly #options: CanaryRunnerOptions;
  readonly #task: LeaderTask;
  /** By the id of the queue. */
  #known = new Map<string, CanaryDocument>();
  /** Jobs of the open runs. */
  #jobs: ReadonlyMap<string, CanaryJob> = new Map();
  /** HALF_OPEN hosts by the names of their queues, as of the latest step. */
  #hosts: ReadonlyMap<string, ReadonlyMap<string, HalfOpenHost>> = new Map();
  /** Queues with canary jobs by name, as of the latest step. */
  readonly #tested = new Map<string, TestedQueue>();

  constructor(options: CanaryRunnerOptions) {
    this.#options = options;
    this.#task = new LeaderTask(options.leader, (signal) => this.#lead(signal), options.log);
  }

  /** Runs while this process leads. */
  start(): void {
    this.#task.start();
  }

  /** Declines further leadership and waits for the step in progress. */
  stop(): Promise<void> {
    return this.#task.stop();
  }

  /**
   * Time until which only canary jobs may test a HALF_OPEN host; undefined if other jobs may as well, and
   * until the first step of this process as the leader.
   */
  onlyUntil({ queue, host }: QueueHost): Date | undefined {
    const tested = this.#tested.get(queue);
    return tested && canaryOnlyUntil(tested, host, this.#now());
  }

  /**
   * Reason for which core could not submit the latest test of a host of a queue; undefined if it could, if
   * the queue has no canary jobs, and until the first step of this process as the leader.
   */
  hostProblem(queue: string): string | undefined {
    return this.#tested.get(queue)?.document.hostProblem?.message;
  }

  async #lead(signal: AbortSignal): Promise<void> {
    const { repository, log, stepMs = 2000 } = this.#options;
    this.#tested.clear();
    this.#hosts = new Map();
    this.#known = new Map((await repository.all()).map((one) => [one._id, one]));
    await repeat(
      () => this.#step(signal),
      stepMs,
      signal,
      (err) => log.warn({ err }, 'canary jobs interrupted'),
    );
  }

  async #step(signal: AbortSignal): Promise<void> {
    const { queues, jobs } = this.#options;
    const ids = [...this.#known.values()].flatMap(({ open }) => open.flatMap(({ jobId }) => jobId ?? []));
    const found = ids.length === 0 ? [] : await jobs(ids);
    this.#jobs = new Map(found.map((job) => [job._id, job]));
    const all = queues.all().filter((queue) => canaryOf(queue) !== undefined);
    this.#findHosts(new Set(all.map(({ name }) => name)));
    const known = [...this.#known.values()].filter(hasWork).map(({ _id }) => _id);
    for (const id of new Set([...known, ...all.map(({ _id }) => _id)])) {
      if (signal.aborted) return;
      await this.#logged(id, () => this.#stepOf(id));
    }
  }

  /** Reads the HALF_OPEN hosts of the queues with canary jobs. */
  #findHosts(queues: ReadonlySet<string>): void {
    for (const name of this.#tested.keys()) if (!queues.has(name)) this.#tested.delete(name);
    const found = queues.size === 0 ? [] : [...this.#options.halfOpen()];
    const before = this.#hosts;
    const now = this.#now();
    this.#hosts = new Map(
      found
        .filter(([queue]) => queues.has(queue))
        .map(([queue, hosts]) => {
          const earlier = before.get(queue) ?? none;
          return [queue, new Map(hosts.map((one) => [one.host, halfOpenHost(one, earlier, now)]))] as const;
        }),
    );
  }

  async #stepOf(id: string): Promise<void> {
    const queue = this.#options.queues.peek(id);
    const current = currentCanary(queue && canaryOf(queue));
    const now = this.#now();
    const before = this.#known.get(id);
    let next = withResults(before ?? noCanaries(id, now), this.#jobs, now);
    next = withoutOldProblems(next, current, now);
    const hosts = (queue && this.#hosts.get(queue.name)) ?? none;
    const due = current
      ? runsDue(next, current.settings, hostsDue({ current, document: next, hosts }, now), now)
      : [];
    if (due.length > 0) {
      const latest = due.some(({ host }) => host === undefined) ? { latestAt: now } : {};
      next = revised(next, { open: [...next.open, ...due], ...latest }, now);
    }
    const isWritten = next.revision === (before?.revision ?? 0) || (await this.#write(before, next));
    if (isWritten && queue)
      for (const run of next.open) await this.#logged(id, () => this.#advance(id, run, queue));
    const document = this.#known.get(id);
    if (queue && current && document) this.#tested.set(queue.name, { current, document, hosts });
  }

  /** Does work of a queue; an error does not hold up the rest. */
  async #logged(id: string, work: () => Promise<void>): Promise<void> {
    const { queues, log } = this.#options;
    await work().catch((err: unknown) =>
      log.warn({ err, queue: queues.peek(id)?.name }, 'canary jobs of a queue interrupted'),
    );
  }

  /** Submits the job of a run, or cancels one that is no longer wanted. */
  async #advance(id: string, run: CanaryRun, queue: QueueDocument): Promise<void> {
    if (run.jobId === undefined) {
      await this.#submit(id, run, queue);
      return;
    }
    const job = this.#jobs.get(run.jobId);
    if (!job || isTerminal(job.state)) return;
    const isWaiting = !isHeld(job.state);
    const now = this.#now();
    const hosts = this.#hosts.get(queue.name) ?? none;
    const isUnwanted =
      isObsolete(run, currentCanary(queue.canary), isWaiting, now) ||
      (isWaiting && isNeedless(run, hosts, now));
    if (isUnwanted) await this.#options.cancel(run.settings.experiment, run.jobId);
  }

  async #submit(id: string, run: CanaryRun, queue: QueueDocument): Promise<void> {
    const { key, settings } = run;
    const { experiment } = settings;
    const result = await this.#options.submit({ experiment, key, job: canaryJob(run, queue.name) });
    const before = this.#known.get(id);
    const current = currentCanary(canaryOf(queue));
    if (before) await this.#write(before, withSubmit(before, run, result, current, this.#now()));
  }

  /** Writes a document, or reads what another process has written. */
  async #write(before: CanaryDocument | undefined, next: CanaryDocument): Promise<boolean> {
    const { repository } = this.#options;
    const isWritten = await repository.write(before, next);
    const [stored] = isWritten ? [next] : await repository.find([next._id]);
    if (stored) this.#known.set(next._id, stored);
    return isWritten;
  }

  #now(): Date {
    return this.#options.clock.now();
  }
}

/** True if a step may change the document although its queue has no canary jobs. */
function hasWork({ open, problem, hostProblem }: CanaryDocument): boolean {
  return open.length > 0 || problem !== undefined || hostProblem !== undefined;
}

/** A host with the time since which it has a READY worker. */
function halfOpenHost(
  { host, since, isReady, isTested }: FoundHost,
  earlier: ReadonlyMap<string, HalfOpenHost>,
  now: Date,
): HalfOpenHost {
  if (!isReady) return { since, isTested };
  const before = earlier.get(host);
  const isSame = before?.since.getTime() === since.getTime();
  return { since, isTested, readySince: (isSame ? before.readySince : undefined) ?? now };
}
