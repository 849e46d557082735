/** For tests of the counts of failures: jobs that fail in many ways, and counts made from their documents. */
import { isDeepStrictEqual } from 'node:util';
import { expect } from '@jest/globals';
import { silentLogger } from '@rhizome/log';
import { systemClock } from '@rhizome/clock';
import { collection } from '@rhizome/mongo';
import { leftovers, type TestDatabase, waitFor } from '@rhizome/testkit';
import { failureStore } from '../../src/composition/event-stores.repository.js';
import type { EventsService } from '../../src/events/events.service.js';
import { hourOf } from '../../src/events/failures/failure-changes.js';
import {
  failureCountsCollection,
  type FailureRow,
  type HourlyRollup,
  rollupFields,
} from '../../src/events/failures/failure-counts.document.js';
import { FailureWork } from '../../src/events/failures/failure-work.js';
import { jobsCollection } from '../../src/jobs/model/job.document.js';
import type { JobErrorFamily } from '../../src/jobs/model/job.types.js';
import { consumersCollection } from '../../src/jobs/transitions/consumer.document.js';
import { ConsumersRepository } from '../../src/jobs/transitions/consumers.repository.js';
import type { TransitionRequest } from '../../src/jobs/transitions/transition.types.js';
import type { TestJobs } from './events.fixture.js';

/** One end of an attempt without success, as the document of its job shows it. */
export interface ListedFailure {
  readonly job: string;
  readonly experiment: string;
  readonly taskId: string | null;
  readonly image: string | null;
  readonly family: string | null;
  readonly code: string;
  readonly exitCode: number | null;
  readonly queue: string;
  readonly site: string;
  readonly host: string;
  readonly at: Date;
  readonly coreSeconds: number;
}

/** Counts failures in a process that leads until `stop`; nothing is stored on the way out, as in a crash. */
export function countFailures(
  db: TestDatabase,
  events: EventsService,
  saveMs = 20,
): { stop(): Promise<void> } {
  const term = new AbortController();
  const work = new FailureWork({
    stream: events,
    counts: failureStore(db),
    consumers: new ConsumersRepository(collection(db, consumersCollection)),
    leader: {
      onGained: (listener) => {
        listener(term.signal);
        return () => undefined;
      },
    },
    clock: systemClock,
    log: silentLogger(),
    saveMs,
    retryMs: 20,
  });
  work.start();
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    term.abort();
    return (stopping ??= work.stop());
  };
  leftovers.defer('counts of failures', stop);
  return { stop };
}

/** The change of an attempt that ends with an error; another attempt follows only a retryable one. */
export function failing(
  code: string,
  {
    family = 'PAYLOAD',
    exitCode,
    retryable = false,
  }: { readonly family?: JobErrorFamily; readonly exitCode?: number; readonly retryable?: boolean } = {},
): Partial<TransitionRequest> {
  const error = { code, family, message: code, retryable };
  return { change: { attemptEnd: { error, ...(exitCode === undefined ? {} : { exitCode }) } } };
}

/** A round of jobs of two experiments: some fail, are repeated, cancelled, or finish. */
export async function failSome(jobs: TestJobs, round: number): Promise<void> {
  const experiment = round % 3 === 0 ? 'beta' : 'alpha';
  const ids = await jobs.submit(10, {
    experiment,
    share: `${experiment}/default`,
    ...(round % 2 === 0 ? { task: { id: `task_${round % 4}`, index: 0 } } : {}),
  });
  const queue = round % 2 === 0 ? 'north' : 'south';
  await jobs.move(
    ids,
    'ACTIVATED',
    'SENT',
    {},
    queue,
    round % 4 === 0 ? { model: 'L4', count: 0.5 } : undefined,
  );
  await jobs.move(ids.slice(0, 8), 'SENT', 'RUNNING');
  await jobs.move(ids.slice(0, 2), 'RUNNING', 'FAILED', failing('EXIT_CODE', { exitCode: 1 + (round % 2) }));
  const exceeded = failing('MEMORY_EXCEEDED', { family: 'LIMIT', exitCode: 137, retryable: true });
  await jobs.move(ids.slice(2, 4), 'RUNNING', 'ACTIVATED', exceeded);
  await jobs.move(ids.slice(4, 5), 'RUNNING', 'CANCELLED');
  await jobs.move(ids.slice(5, 8), 'RUNNING', 'FINISHED');
  const unreceived = failing('GRANT_LOST', { family: 'WORKER', retryable: true });
  await jobs.move(ids.slice(8, 10), 'SENT', 'ACTIVATED', unreceived);
  await jobs.move(ids.slice(2, 4), 'ACTIVATED', 'SENT', {}, queue === 'north' ? 'south' : 'north');
  await jobs.move(ids.slice(2, 4), 'SENT', 'RUNNING');
  await jobs.move(ids.slice(2, 3), 'RUNNING', 'FAILED', failing(`CODE_${round % 5}`));
}

/** Failures as the documents of jobs list them. */
export async function listedFailures(db: TestDatabase): Promise<readonly ListedFailure[]> {
  const found = await collection(db, jobsCollection).find().toArray();
  return found.flatMap((job) =>
    job.attempts.flatMap((attempt): readonly ListedFailure[] => {
      const {
        outcome,
        endedAt,
        startedAt,
        sentAt,
        error,
        exitCode = null,
        queueId,
        site = '',
        host = '',
      } = attempt;
      if (outcome === undefined || outcome === 'FINISHED' || !endedAt) return [];
      return [
        {
          job: job._id,
          experiment: job.experiment,
          taskId: job.taskId ?? null,
          image: job.payload.image ?? null,
          family: error?.family ?? null,
          code: error?.code ?? outcome,
          exitCode,
          queue: queueId.replace(/^queue_/, ''),
          site,
          host,
          at: endedAt,
          coreSeconds:
            ((endedAt.getTime() - (startedAt ?? sentAt).getTime()) / 1000) * job.requirements.cores,
        },
      ];
    }),
  );
}

const rowFields: Readonly<Record<HourlyRollup, (row: ListedFailure | FailureRow) => readonly unknown[]>> = {
  CODE: ({ site, queue }) => [site, queue],
  HOST: ({ site, queue, host }) => [site, queue, host],
  TASK: ({ taskId }) => [taskId],
  IMAGE: ({ image }) => [image],
  EXIT_CODE: ({ exitCode }) => [exitCode],
};

/** Rows of a rollup as sorted lines, counted from the documents of jobs. */
export async function rowsByScan(db: TestDatabase, rollup: HourlyRollup): Promise<readonly string[]> {
  const sums = new Map<string, { count: number; coreSeconds: number }>();
  for (const one of await listedFailures(db)) {
    const { experiment, family, code, at, coreSeconds } = one;
    const key = JSON.stringify([experiment, hourOf(at), family, code, ...rowFields[rollup](one)]);
    const before = sums.get(key) ?? { count: 0, coreSeconds: 0 };
    sums.set(key, { count: before.count + 1, coreSeconds: before.coreSeconds + coreSeconds });
  }
  return [...sums]
    .map(([key, { count, coreSeconds }]) => `${key} ${count} ${milliseconds(coreSeconds)}`)
    .sort();
}

/** Rows of a rollup as stored, in the same form; with the sums of totals under the name TOTAL. */
export async function storedRows(db: TestDatabase, rollup: HourlyRollup): Promise<readonly string[]> {
  const documents = await collection(db, failureCountsCollection).find({ rollup }).toArray();
  return documents
    .flatMap(({ experiment, hour, rows }) =>
      rows
        .filter(({ count }) => count > 0)
        .map((row) => {
          const key = JSON.stringify([experiment, hour, row.family, row.code, ...rowFields[rollup](row)]);
          return `${key} ${row.count} ${milliseconds(row.coreSeconds)}`;
        }),
    )
    .sort();
}

/** Sums of fractions differ from the sum of their parts; milliseconds are exact. */
function milliseconds(seconds: number): number {
  return Math.round(seconds * 1000);
}

/** Waits until the stored rows of each rollup are those of the documents of jobs. */
export async function untilCounted(db: TestDatabase): Promise<void> {
  for (const rollup of Object.keys(rollupFields) as HourlyRollup[]) {
    const expected = await rowsByScan(db, rollup);
    const isCounted = async () => isDeepStrictEqual(await storedRows(db, rollup), expected);
    // The rows themselves are compared, so that a difference is shown.
    await waitFor(`failures by ${rollup}`, isCounted, { deadlineMs: 60_000 }).catch(() => undefined);
    expect(await storedRows(db, rollup)).toEqual(expected);
  }
}
