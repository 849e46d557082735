/**
 * Judges hosts by the event stream while this process leads. The position in the stream is stored after the
 * hosts; each host also has the position up to which its failures are taken into account, so that failures
 * which are delivered again do not count twice. What is known about healthy hosts is in memory: a new leader
 * begins again with them.
 */
import type { Clock } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import { isCanary } from '../../jobs/model/canary-owner.js';
import { isHeld } from '../../jobs/model/job-state.js';
import type { StoredFailure } from '../../jobs/model/job.types.js';
import type { JobEvent } from '../../jobs/model/job-event.types.js';
import type { JobEventStream } from '../../jobs/ports.js';
import type { ConsumersRepository } from '../../jobs/transitions/consumers.repository.js';
import type { HostTests } from '../../scheduler/dispatch/host-tests.js';
import { keepFollowing } from '../../shared/keep-following.js';
import { LeaderTask, type LeaderWork } from '../../shared/leader-task.js';
import type { HostBook } from './host-book.js';
import { HostChanges } from './host-changes.js';
import { mayBeOfHost } from './host-failure.js';
import { HostJudge } from './host-judge.js';
import type { HostLimits, HostPlace } from './host-state.js';
import type { HostsRepository } from './hosts.repository.js';
import type { WastedAttempts } from './wasted-attempts.js';

/** Dependencies of {@link HostWatch}. */
export interface HostWatchOptions {
  readonly stream: JobEventStream;
  readonly consumers: ConsumersRepository;
  readonly leader: LeaderWork;
  readonly repository: HostsRepository;
  readonly book: HostBook;
  readonly tests: HostTests;
  readonly wasted: Pick<WastedAttempts, 'resume' | 'settle'>;
  /** Host and site of a worker; undefined if the worker is unknown. */
  readonly whereIs: (workerId: string) => { readonly host: string; readonly site: string } | undefined;
  readonly limits: HostLimits;
  readonly clock: Clock;
  readonly log: Logger;
  /** Delay after an error, in milliseconds; defaults to 500. */
  readonly retryMs?: number;
}

/** An attempt that began a short time ago. */
interface YoungAttempt {
  readonly place: HostPlace;
  readonly kind: string;
  readonly attempt: number;
  readonly atMs: number;
  readonly isCanary: boolean;
}

const consumer = 'hosts';
/** Least time between two records of the position, in milliseconds. */
const saveMs = 5000;
/** Most attempts whose first minute is followed; beyond it, the oldest are left out. */
const maxYoung = 100_000;

/** Keeps the states of hosts. */
export class HostWatch {
  readonly #options: HostWatchOptions;
  readonly #task: LeaderTask;

  constructor(options: HostWatchOptions) {
    this.#options = options;
    this.#task = new LeaderTask(options.leader, (signal) => this.#lead(signal), options.log);
  }

  /** Runs while this process leads. */
  start(): void {
    this.#task.start();
  }

  /** Declines further leadership and waits for the work in progress. */
  stop(): Promise<void> {
    return this.#task.stop();
  }

  async #lead(signal: AbortSignal): Promise<void> {
    const { log, retryMs, consumers } = this.#options;
    await keepFollowing(
      {
        follow: () => this.#follow(signal),
        forget: () => consumers.forget(consumer),
        onError: (err) => log.warn({ err }, 'watch over hosts interrupted'),
        retryMs,
      },
      signal,
    );
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { stream, consumers, repository, tests, wasted, clock, limits, log } = this.#options;
    const after = await consumers.cursorOf(consumer);
    await wasted.resume();
    // Jobs that ended before are not delivered again: their hosts get other tests.
    tests.clear();
    const watched = new WatchedAttempts(this.#options);
    let savedAtMs = clock.monotonicMs();
    for await (const { events, cursor } of stream.follow({ after, signal })) {
      const changes = new HostChanges({ ...this.#options, judge: watched.judge });
      for (const event of events) watched.take(event, changes);
      watched.age(clock.now().getTime() - limits.fastSeconds * 1000, changes);
      if (signal.aborted) return;
      const writes = changes.all();
      if (!(await repository.write(writes)))
        log.warn({ hosts: writes.length }, 'hosts were changed by others meanwhile');
      for (const jobId of changes.endedTests) tests.end(jobId);
      const nowMs = clock.monotonicMs();
      if (writes.length === 0 && nowMs - savedAtMs < saveMs) continue;
      await wasted.settle();
      await consumers.save(consumer, cursor, clock.now());
      savedAtMs = nowMs;
    }
  }
}

/** Attempts in their first minute, and those that failed in it. */
class WatchedAttempts {
  readonly judge: HostJudge;
  readonly #options: HostWatchOptions;
  /** The oldest first. */
  readonly #young = new Map<string, YoungAttempt>();

  constructor(options: HostWatchOptions) {
    this.#options = options;
    this.judge = new HostJudge(options.limits);
  }

  take({ token, jobId, last }: JobEvent, changes: HostChanges): void {
    const { from, to, failure, queue, workerId, attempt, at } = last;
    if (to === 'RUNNING' && from !== to) {
      const where = workerId === undefined ? undefined : this.#options.whereIs(workerId);
      if (where && queue !== undefined)
        this.#young.set(jobId, {
          ...{ place: { queue, ...where }, kind: kindOf(last), attempt },
          ...{ atMs: at.getTime(), isCanary: isCanary(last) },
        });
      return;
    }
    if (isHeld(to)) return;
    const young = this.#young.get(jobId);
    this.#young.delete(jobId);
    const isTest = this.#options.tests.has({ jobId, attempt });
    const isJudged = this.#isJudged(jobId, isCanary(last));
    if (to === 'FINISHED' && young && isJudged) changes.lasted({ ...young, jobId, isTest });
    const place = failure && placeOf(failure);
    if (failure && place && isJudged && this.#countsAgainst(failure)) {
      const { code } = failure;
      changes.failed({ place, kind: kindOf(last), jobId, attempt, code, at, token, isTest });
    }
    if (isTest) changes.endedTests.push(jobId);
  }

  /** Attempts that have run since then last. */
  age(untilMs: number, changes: HostChanges): void {
    for (const [jobId, young] of this.#young) {
      if (young.atMs > untilMs && this.#young.size <= maxYoung) break;
      this.#young.delete(jobId);
      if (young.atMs > untilMs) continue;
      const isTest = this.#options.tests.isTest(jobId);
      if (this.#isJudged(jobId, young.isCanary)) changes.lasted({ ...young, jobId, isTest });
      if (isTest) changes.endedTests.push(jobId);
    }
  }

  /**
   * Canary jobs judge the HALF_OPEN hosts that they test alone: what a trivial command says about other hosts
   * must not outweigh the ends of users' jobs.
   */
  #isJudged(jobId: string, isCanaryJob: boolean): boolean {
    return !isCanaryJob || this.#options.tests.isCanaryTest(jobId);
  }

  /** True for a failure that the host may have caused: fast, and neither a limit nor a lost contact. */
  #countsAgainst(failure: StoredFailure): boolean {
    return failure.seconds <= this.#options.limits.fastSeconds && mayBeOfHost(failure);
  }
}

function placeOf({ queue, host, site }: StoredFailure): HostPlace | undefined {
  return queue === undefined || host === undefined ? undefined : { queue, host, site: site ?? '' };
}

/** Jobs of a task are alike; other jobs if they have the same owner and requirements; canaries of a queue. */
function kindOf({ taskId, experiment, owner, classId, queue = '' }: JobEvent['last']): string {
  if (isCanary({ owner })) return `canary ${queue}`;
  return taskId ?? `${experiment} ${owner} ${classId}`;
}
