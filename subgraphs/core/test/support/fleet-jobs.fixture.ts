/** For tests: ready jobs for the workers of a fleet. */
import { createIds, systemClock } from '@rhizome/clock';
import { collection } from '@rhizome/mongo';
import type { TestDatabase } from '@rhizome/testkit';
import { ClassesRepository } from '../../src/jobs/model/requirement-classes.repository.js';
import { jobsCollection } from '../../src/jobs/model/job.document.js';
import type {
  JobDocument,
  StoredPayload,
  StoredRequirements,
  StoredRetryPolicy,
} from '../../src/jobs/model/job.types.js';
import { newJobDocument } from '../../src/jobs/model/new-job.js';
import { requirementClassesCollection } from '../../src/jobs/model/requirement-class.document.js';
import { classIdOf } from '../../src/jobs/model/requirement-class-id.js';

/** A job for {@link submitJobs}. */
export interface TestJob {
  readonly requirements?: Partial<StoredRequirements>;
  readonly share?: string;
  readonly owner?: string;
  readonly priority?: number;
  readonly payload?: Partial<StoredPayload>;
  readonly retry?: Partial<StoredRetryPolicy>;
  readonly labels?: JobDocument['labels'];
  readonly task?: { readonly id: string; readonly index: number };
}

const ids = createIds();

/** Inserts ready jobs and their class, as a submit does. @returns their ids, oldest first */
export async function submitJobs(db: TestDatabase, count: number, job: TestJob = {}): Promise<string[]> {
  const now = systemClock.now();
  const requirements: StoredRequirements = {
    cores: 1,
    memoryMiB: 100,
    diskMiB: 0,
    walltimeSeconds: 60,
    network: false,
    ...job.requirements,
  };
  const classId = classIdOf(requirements);
  await new ClassesRepository(collection(db, requirementClassesCollection)).ensure(
    new Map([[classId, requirements]]),
    now,
  );
  const share = job.share ?? 'alpha/default';
  const documents = Array.from({ length: count }, () =>
    newJobDocument(
      {
        id: ids.next('job'),
        createdAt: now,
        experiment: share.slice(0, share.indexOf('/')),
        name: 'job',
        owner: job.owner ?? 'ada@example',
        share,
        priority: job.priority ?? 0,
        labels: job.labels ?? [],
        ...(job.task ? { task: job.task } : {}),
        requirements,
        classId,
        payload: { command: 'true', arguments: [], environment: [], inputs: [], outputs: [], ...job.payload },
        retry: {
          maxAttempts: 3,
          backoffSeconds: 0,
          backoffFactor: 2,
          retryOn: ['DATA', 'PAYLOAD', 'SYSTEM', 'WORKER'],
          ...job.retry,
        },
        dependsOn: [],
        waitingFor: [],
      },
      now,
    ),
  );
  for (let at = 0; at < documents.length; at += 10_000) {
    await collection(db, jobsCollection).insertMany(documents.slice(at, at + 10_000), { ordered: false });
  }
  return documents.map(({ _id }) => _id);
}

/** Returns stored jobs, in the order of the ids. */
export async function storedJobs(db: TestDatabase, jobIds: readonly string[]): Promise<JobDocument[]> {
  const found = new Map(
    (
      await collection(db, jobsCollection)
        .find({ _id: { $in: [...jobIds] } })
        .toArray()
    ).map((job) => [job._id, job]),
  );
  return jobIds.map((id) => {
    const job = found.get(id);
    if (!job) throw new Error(`Job "${id}" not found.`);
    return job;
  });
}
