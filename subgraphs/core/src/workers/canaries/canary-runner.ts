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
import { isHeld } from '../../jobs/model/job-state.js';
import type { CanariesRepository } from './canaries.repository.js';
import {
  type CanaryJob,
  canaryJob,
  isObsolete,
  noCanaries,
  revised,
  runsDue,
  withResults,
} from './canary-plan.js';
import type { CanaryDocument, CanaryRun } from './canary.document.js';

/** A job to submit in the name of core. */
export interface CanarySubmit {
  readonly experiment: string;
  readonly key: string;
  readonly job: JobSpec;
}

/** Dependencies of {@link CanaryRunner}. */
export interface CanaryRunnerOptions {
  readonly repository: Pick<CanariesRepository, 'all' | 'find' | 'write'>;
  readonly queues: { all(): readonly QueueDocument[]; peek(id: string): QueueDocument | undefined };
  /** Names of the hosts of a queue that may be tested now. */
  readonly hostsToTest: (queue: string) => readonly string[];
  /** Submits a job, or says why it was refused. A repetition with the same key returns the same job. */
  readonly submit: (one: CanarySubmit) => Promise<{ readonly jobId: string } | { readonly refusal: string }>;
  /** Cancels jobs of an experiment; a repetition with the same key changes nothing. */
  readonly cancel: (experiment: string, jobId: string, key: string) => Promise<void>;
  readonly jobs: (ids: readonly string[]) => Promise<readonly CanaryJob[]>;
  readonly leader: LeaderWork;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'warn' | 'error'>;
  /** Time between two steps, in milliseconds; defaults to 2000. */
  readonly stepMs?: number | undefined;
}

/** Time after which a host that no canary job has reached is tested by other jobs as well. */
const patienceMs = 600_000;

/** Runs canary jobs. */
export class CanaryRunner {
  readonly #options: CanaryRunnerOptions;
  readonly #task: LeaderTask;
  /** By the id of the queue. */
  #known = new Map<string, CanaryDocument>();
  /** Jobs of the open runs. */
  #jobs: ReadonlyMap<string, CanaryJob> = new Map();
  readonly #cancelled = new Set<string>();

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

  /** True if the host is tested by a canary job: other jobs do not test it. */
  tests({ queue: name, host }: QueueHost): boolean {
    const queue = this.#options.queues.all().find((one) => one.name === name);
    if (!queue || !canaryOf(queue)) return false;
    const known = this.#known.get(queue._id);
    if (known?.problem) return false;
    const run = known?.open.find((one) => one.host === host);
    return !run || this.#now().getTime() - run.at.getTime() < patienceMs;
  }

  async #lead(signal: AbortSignal): Promise<void> {
    const { repository, log, stepMs = 2000 } = this.#options;
    this.#known = new Map((await repository.all()).map((one) => [one._id, one]));
    await repeat(
      () => this.#step(signal),
      stepMs,
      signal,
      (err) => log.warn({ err }, 'canary jobs interrupted'),
    );
  }

  async #step(signal: AbortSignal): Promise<void> {
    const { queues, jobs, log } = this.#options;
    const ids = [...this.#known.values()].flatMap(({ open }) => open.flatMap(({ jobId }) => jobId ?? []));
    const found = ids.length === 0 ? [] : await jobs(ids);
    this.#jobs = new Map(found.map((job) => [job._id, job]));
    const open = [...this.#known.values()].filter((one) => one.open.length > 0).map(({ _id }) => _id);
    const withCanaries = queues.all().filter((queue) => canaryOf(queue) !== undefined);
    for (const id of new Set([...open, ...withCanaries.map(({ _id }) => _id)])) {
      if (signal.aborted) return;
      await this.#stepOf(id).catch((err: unknown) =>
        log.warn({ err, queue: queues.peek(id)?.name }, 'canary jobs of a queue interrupted'),
      );
    }
  }

  async #stepOf(id: string): Promise<void> {
    const queue = this.#options.queues.peek(id);
    const settings = queue && canaryOf(queue);
    const now = this.#now();
    const before = this.#known.get(id);
    let next = withResults(before ?? noCanaries(id, now), this.#jobs, now);
    const due = settings ? runsDue(next, settings, this.#options.hostsToTest(queue.name), now) : [];
    if (due.length > 0) {
      const latest = due.some(({ host }) => host === undefined) ? { latestAt: now } : {};
      next = revised(next, { open: [...next.open, ...due], ...latest }, now);
    }
    if (next.revision > (before?.revision ?? 0) && !(await this.#write(before, next))) return;
    for (const run of next.open) await this.#advance(id, run, queue);
  }

  /** Submits the job of a run, or cancels one that is no longer wanted. */
  async #advance(id: string, run: CanaryRun, queue: QueueDocument | undefined): Promise<void> {
    if (run.jobId === undefined) {
      if (queue) await this.#submit(id, run, queue.name);
      return;
    }
    const job = this.#jobs.get(run.jobId);
    const isWaiting = job !== undefined && !isHeld(job.state);
    const isUnwanted = isObsolete(run, queue?.canary, isWaiting, this.#now());
    if (!job || !isUnwanted || this.#cancelled.has(run.key)) return;
    await this.#options.cancel(run.settings.experiment, run.jobId, `${run.key}:cancel`);
    this.#cancelled.add(run.key);
  }

  async #submit(id: string, run: CanaryRun, queue: string): Promise<void> {
    const { key, settings } = run;
    const { experiment } = settings;
    const result = await this.#options.submit({ experiment, key, job: canaryJob(run, queue) });
    const before = this.#known.get(id);
    if (!before) return;
    const now = this.#now();
    const { problem: _problem, ...rest } = before;
    const others = before.open.filter((one) => one.key !== key);
    const next =
      'jobId' in result
        ? revised(rest, { open: [...others, { ...run, jobId: result.jobId }] }, now)
        : revised(rest, { open: others, problem: { message: result.refusal.slice(0, 500), at: now } }, now);
    await this.#write(before, next);
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
