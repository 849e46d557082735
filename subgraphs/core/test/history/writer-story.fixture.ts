/** A story of jobs on the transition writer, with faults built into the writes or into the rules. */
import { plannedJobEnds, uncountedJobErrors } from '@rhizome/errors';
import { silentLogger } from '@rhizome/log';
import { systemClock } from '@rhizome/clock';
import { collection } from '@rhizome/mongo';
import { leftovers, recordAnswer, type TestDatabase, testDatabase } from '@rhizome/testkit';
import { jobsCollection } from '../../src/jobs/model/job.document.js';
import type { StoredJobError, StoredRetryPolicy } from '../../src/jobs/model/job.types.js';
import { isTerminal } from '../../src/jobs/model/job-state.js';
import { decideAfterFailure } from '../../src/jobs/transitions/retry-policy.js';
import { groupFilter, groupPipeline } from '../../src/jobs/transitions/transition-group.js';
import type { TransitionGroup } from '../../src/jobs/transitions/transition-group.types.js';
import type { TransitionRequest } from '../../src/jobs/transitions/transition.types.js';
import { GroupingTransitionWriter } from '../../src/jobs/transitions/transition-writer.js';
import { transitionStore, type TransitionStore } from '../../src/jobs/transitions/transitions.repository.js';
import { SupersededAttemptsRepository } from '../../src/workers/adoption/superseded-attempts.repository.js';
import { aJob } from '../support/job.fixture.js';

const jobsOf = (db: TestDatabase) => collection(db, jobsCollection);

type Jobs = ReturnType<typeof jobsOf>;
type Pipeline = Extract<Parameters<Jobs['updateMany']>[1], readonly unknown[]>;
type Update = Record<string, unknown>;

/** Families of the errors that end attempts of the story, other than WORKER. */
const families: Readonly<Record<string, StoredJobError['family']>> = {
  REPORT_REFUSED: 'SYSTEM',
  CHECKPOINTED: 'PAYLOAD',
};

/** Faults that a story has; it has none by default. */
export interface Faults {
  readonly store?: (store: TransitionStore, jobs: Jobs) => TransitionStore;
  /** Changes a request before it is written. */
  readonly request?: (request: TransitionRequest) => TransitionRequest;
  readonly decide?: typeof decideAfterFailure;
  /** Changes the fence of the grant with this number, from 1. */
  readonly fence?: (fence: number, grant: number) => number;
  readonly supersede?: (jobs: Jobs, jobId: string, fence: number) => Promise<void>;
  /** Runs after the story. */
  readonly last?: (jobs: Jobs, ids: StoryJobs) => Promise<unknown>;
}

/** Filter and update of a group. */
export interface GroupWrite {
  readonly filter: Update;
  /** Fields of the update. */
  readonly set: Update;
}

/** A store that changes its groups. */
export function alteredStore(
  change: (write: GroupWrite, group: TransitionGroup) => GroupWrite,
): NonNullable<Faults['store']> {
  return (store, jobs) => ({
    read: (ids) => store.read(ids),
    async write(group) {
      const stages = groupPipeline(group);
      const at = stages.findIndex((stage) => '$set' in stage && !('ownValues' in (stage['$set'] as Update)));
      const { filter, set } = change(
        { filter: { ...groupFilter(group) }, set: { ...(stages[at]?.['$set'] as Update) } },
        group,
      );
      const pipeline = stages.map((stage, index) => (index === at ? { $set: set } : stage)) as Pipeline;
      const options = { writeConcern: { w: 'majority' as const }, bypassDocumentValidation: true };
      return (await jobs.updateMany(filter, pipeline, options)).modifiedCount;
    },
  });
}

const names = [
  'finished',
  'lost',
  'cancelled',
  'waiting',
  'away',
  'adopted',
  'superseded',
  'late',
  'unlucky',
] as const;

/** The jobs of the story by their roles. */
export type StoryJobs = Readonly<Record<(typeof names)[number], string>>;

const lostError: StoredJobError = {
  family: 'WORKER',
  code: 'LEASE_LOST',
  message: 'Worker worker_1 was lost: its lease ended.',
  retryable: true,
};
const retry: StoredRetryPolicy = {
  ...{ maxAttempts: 1, backoffSeconds: 0, backoffFactor: 1, retryOn: ['WORKER', 'PAYLOAD'] },
};
/** Time after which another worker gets a job of the story. */
const reassignAfterSeconds = 60;

/** Runs the story. @returns its database */
export async function writerStory(faults: Faults = {}): Promise<TestDatabase> {
  const db = await testDatabase('story');
  const story = new WriterStory(db, faults);
  await story.run();
  return db;
}

class WriterStory {
  readonly #db: TestDatabase;
  readonly #jobs: Jobs;
  readonly #faults: Faults;
  readonly #writer: GroupingTransitionWriter;
  #grants = 0;

  constructor(db: TestDatabase, faults: Faults) {
    this.#db = db;
    this.#jobs = jobsOf(db);
    this.#faults = faults;
    const store = transitionStore(this.#jobs);
    this.#writer = leftovers.use(
      new GroupingTransitionWriter({
        store: faults.store?.(store, this.#jobs) ?? store,
        clock: systemClock,
        log: silentLogger(),
      }),
      'the writer of a story',
    );
  }

  async run(): Promise<void> {
    const ids = Object.fromEntries(names.map((name) => [name, `job_${name}`])) as StoryJobs;
    const now = systemClock.now();
    await this.#jobs.insertMany(
      names.map((name) =>
        aJob(ids[name], { retry: { ...retry, ...(name === 'unlucky' ? {} : { maxAttempts: 3 }) } }, now),
      ),
    );
    await Promise.all([
      this.#finish(ids.finished),
      this.#loseAndFinish(ids.lost),
      this.#cancel(ids),
      this.#giveAway(ids.away),
      this.#giveAwayAndAdopt(ids.adopted),
      this.#giveAwayAndSupersede(ids.superseded),
      this.#waitForBackoff(ids.late),
      this.#fail(ids.unlucky),
    ]);
    await this.#faults.last?.(this.#jobs, ids);
  }

  async #apply(request: TransitionRequest): Promise<boolean> {
    const { request: change = (one: TransitionRequest) => one } = this.#faults;
    const changed = change(request);
    const [outcome] = await this.#writer.apply([changed]);
    const isApplied = outcome?.applied === true;
    if (isApplied) this.#record(changed);
    return isApplied;
  }

  #record({ jobId, to, by, fence = 0, change }: TransitionRequest): void {
    if (change?.grant) {
      const { workerId } = change.grant;
      recordAnswer(this.#db, { kind: 'GRANT', workerId, jobId, fence: change.grant.fence });
    } else if (by === 'principal') recordAnswer(this.#db, { kind: 'CANCEL', jobId });
    else if (by === 'worker' && (to === 'RUNNING' || to === 'FINISHED'))
      recordAnswer(this.#db, { kind: 'REPORT', jobId, fence, phase: to });
  }

  /** @returns the fence of the grant */
  async #grant(jobId: string, workerId = 'worker_1'): Promise<number> {
    const number = (this.#grants += 1);
    const fence = this.#faults.fence?.(number * 8, number) ?? number * 8;
    await this.#apply({
      ...{ jobId, from: 'ACTIVATED', to: 'SENT', by: 'broker', actor: 'system:broker' },
      change: {
        grant: {
          ...{ workerId, queueId: 'queue_1', queue: 'main', fence, attemptId: `attempt_${number}` },
          ...{ deviceIds: [], continuity: { continueSeconds: 1000, reassignAfterSeconds } },
        },
      },
    });
    return fence;
  }

  #report(
    jobId: string,
    fence: number,
    from: 'SENT' | 'RUNNING',
    to: 'RUNNING' | 'FINISHED',
  ): Promise<boolean> {
    return this.#apply({ jobId, from, to, by: 'worker', actor: 'pilot:main', fence });
  }

  async #start(jobId: string, workerId?: string): Promise<number> {
    const fence = await this.#grant(jobId, workerId);
    await this.#report(jobId, fence, 'SENT', 'RUNNING');
    return fence;
  }

  async #finish(jobId: string): Promise<void> {
    await this.#report(jobId, await this.#start(jobId), 'RUNNING', 'FINISHED');
  }

  /** The first worker is lost before it starts the job, and reports it running nevertheless. */
  async #loseAndFinish(jobId: string): Promise<void> {
    const stale = await this.#grant(jobId);
    await this.#apply({
      ...{ jobId, from: 'SENT', to: 'ACTIVATED', by: 'lease', actor: 'system:lease', fence: stale },
      change: { attemptEnd: { error: { ...lostError, code: 'GRANT_LOST' } } },
    });
    const fence = await this.#grant(jobId, 'worker_2');
    // A second leader grants the job again, and is refused.
    await this.#grant(jobId, 'worker_3');
    await this.#report(jobId, stale, 'SENT', 'RUNNING');
    await this.#report(jobId, fence, 'SENT', 'RUNNING');
    await this.#report(jobId, fence, 'RUNNING', 'FINISHED');
  }

  /** A running job and a waiting one are cancelled; a late report and a late grant are refused. */
  async #cancel({ cancelled, waiting }: StoryJobs): Promise<void> {
    const fence = await this.#start(cancelled);
    const end = { to: 'CANCELLED', by: 'principal', actor: 'someone@example' } as const;
    await this.#apply({ jobId: cancelled, from: 'RUNNING', ...end });
    await this.#report(cancelled, fence, 'RUNNING', 'FINISHED');
    await this.#apply({ jobId: waiting, from: 'ACTIVATED', ...end });
    await this.#grant(waiting);
  }

  async #giveAway(jobId: string): Promise<number> {
    const fence = await this.#start(jobId);
    await this.#apply({
      ...{ jobId, from: 'RUNNING', to: 'ACTIVATED', by: 'lease', actor: 'system:unreachable', fence },
      change: {
        attemptEnd: { error: lostError },
        unreachableSince: new Date(systemClock.now().getTime() - (reassignAfterSeconds + 1) * 1000),
      },
    });
    return fence;
  }

  /** The worker returns while the next grant has not begun. */
  async #giveAwayAndAdopt(jobId: string): Promise<void> {
    const earlierFence = await this.#giveAway(jobId);
    const granted = await this.#grant(jobId, 'worker_2');
    const fence = (this.#grants += 1) * 8;
    const request: TransitionRequest = {
      ...{ jobId, from: 'SENT', to: 'RUNNING', by: 'adoption', actor: 'pilot:main', fence: granted },
      change: {
        adoption: {
          ...{ attempt: 1, workerId: 'worker_1', queueId: 'queue_1', queue: 'main', fence, earlierFence },
        },
      },
    };
    await this.#apply(request);
    await this.#report(jobId, fence, 'RUNNING', 'FINISHED');
  }

  /** The worker returns after the next attempt has begun. */
  async #giveAwayAndSupersede(jobId: string): Promise<void> {
    const earlier = await this.#giveAway(jobId);
    const fence = await this.#start(jobId, 'worker_2');
    const supersede =
      this.#faults.supersede ??
      (() =>
        new SupersededAttemptsRepository(this.#db).record(
          [{ jobId, fence: earlier, lostSeconds: 5 }],
          systemClock.now(),
        ));
    await supersede(this.#jobs, jobId, earlier);
    await this.#report(jobId, fence, 'RUNNING', 'FINISHED');
  }

  /** An activation before the end of the backoff is refused. */
  async #waitForBackoff(jobId: string): Promise<void> {
    const fence = await this.#start(jobId);
    const error: StoredJobError = { ...lostError, family: 'PAYLOAD', code: 'EXIT_CODE' };
    const notBefore = new Date(systemClock.now().getTime() + 3_600_000);
    await this.#apply({
      ...{ jobId, from: 'RUNNING', to: 'PENDING', by: 'worker', actor: 'pilot:main', fence },
      change: { attemptEnd: { error }, notBefore },
    });
    await this.#apply({
      ...{ jobId, from: 'PENDING', to: 'ACTIVATED', by: 'backoff', actor: 'system:backoff' },
      change: { notBefore: null },
    });
  }

  /** One attempt for each code that does not count. Then the payload fails. */
  async #fail(jobId: string): Promise<void> {
    const { decide = decideAfterFailure } = this.#faults;
    for (const code of [...plannedJobEnds, ...uncountedJobErrors, 'EXIT_CODE', 'EXIT_CODE']) {
      const job = await this.#jobs.findOne({ _id: jobId });
      if (!job || isTerminal(job.state)) return;
      const fence = await this.#start(jobId);
      const family = families[code] ?? 'WORKER';
      const error: StoredJobError = { ...lostError, family, code };
      const { attempts, plannedEnds = 0, uncountedEnds = 0 } = job;
      const { to } = decide(
        { attempt: job.attempt + 1, retry: job.retry, attempts, plannedEnds, uncountedEnds },
        error,
        systemClock.now(),
      );
      if (code === 'PREEMPTED')
        await this.#apply({
          ...{ jobId, from: 'RUNNING', to: 'RUNNING', by: 'broker', actor: 'system:preemption', fence },
          change: { preemption: { jobId: 'job_urgent', priority: 100 } },
        });
      await this.#apply({
        ...{ jobId, from: 'RUNNING', to, by: 'worker', actor: 'pilot:main', fence },
        change: { attemptEnd: { error } },
      });
    }
  }
}
