import { collection } from '@rhizome/mongo';
import type { Db } from 'mongodb';
import { parameterChunksCollection, tasksCollection } from '../tasks/task.document.js';
import { TaskControlRepository } from '../tasks/control/task-control.repository.js';
import { ScoutsRepository } from '../tasks/scouts/scouts.repository.js';
import { TaskChangesRepository } from '../tasks/changes/task-changes.repository.js';
import { TasksRepository } from '../tasks/tasks.repository.js';
import { bulkOperationsCollection } from '../jobs/bulk/bulk-operation.document.js';
import { BulkRepository } from '../jobs/bulk/bulk.repository.js';
import { retryMembersCollection } from '../jobs/bulk/retry-member.document.js';
import { RetryMembersRepository } from '../jobs/bulk/retry-members.repository.js';
import { jobProgressCollection } from '../jobs/checkpoints/job-progress.document.js';
import { JobProgressRepository } from '../jobs/checkpoints/job-progress.repository.js';
import { ClassesRepository } from '../jobs/model/requirement-classes.repository.js';
import { consumersCollection } from '../jobs/transitions/consumer.document.js';
import { ConsumersRepository } from '../jobs/transitions/consumers.repository.js';
import { jobsCollection } from '../jobs/model/job.document.js';
import { jobLogHeadsCollection, jobLogsCollection } from '../jobs/logs/job-log.document.js';
import { JobLogsRepository } from '../jobs/logs/job-logs.repository.js';
import { JobCountsRepository } from '../jobs/model/job-counts.repository.js';
import { JobsRepository } from '../jobs/model/jobs.repository.js';
import { requirementClassesCollection } from '../jobs/model/requirement-class.document.js';
import { submissionsCollection } from '../jobs/submit/submission.document.js';
import { SimulationRepository } from '../policies/simulation/simulation.repository.js';
import { SubmissionsRepository } from '../jobs/submit/submissions.repository.js';
import { CanariesRepository } from '../workers/canaries/canaries.repository.js';
import { canariesCollection } from '../workers/canaries/canary.document.js';
import { WastedAttemptsRepository } from '../workers/hosts/wasted-attempts.repository.js';
import { transitionStore } from '../jobs/transitions/transitions.repository.js';

/** Collections of jobs and tasks; they are created before anything else. */
export const jobCollections = [
  jobsCollection,
  requirementClassesCollection,
  submissionsCollection,
  bulkOperationsCollection,
  retryMembersCollection,
  consumersCollection,
  jobLogsCollection,
  jobLogHeadsCollection,
  tasksCollection,
  parameterChunksCollection,
];

/** Repositories of jobs and tasks on one database. */
export function jobStores(db: Db) {
  return {
    jobs: new JobsRepository(collection(db, jobsCollection)),
    jobCounts: new JobCountsRepository(collection(db, jobsCollection), db.client),
    transitions: transitionStore(collection(db, jobsCollection)),
    classes: new ClassesRepository(collection(db, requirementClassesCollection)),
    submissions: new SubmissionsRepository(collection(db, submissionsCollection)),
    operations: new BulkRepository(collection(db, bulkOperationsCollection)),
    retryMembers: new RetryMembersRepository(collection(db, retryMembersCollection)),
    consumers: new ConsumersRepository(collection(db, consumersCollection)),
    simulations: new SimulationRepository(collection(db, jobsCollection)),
    checkpoints: new JobProgressRepository(collection(db, jobProgressCollection)),
    canaries: new CanariesRepository(collection(db, canariesCollection)),
    wasted: new WastedAttemptsRepository(collection(db, jobsCollection)),
    logs: new JobLogsRepository(collection(db, jobLogsCollection), collection(db, jobLogHeadsCollection)),
    taskControl: new TaskControlRepository(collection(db, tasksCollection)),
    scouts: new ScoutsRepository(collection(db, tasksCollection)),
    taskChanges: new TaskChangesRepository(collection(db, tasksCollection)),
    tasks: new TasksRepository(collection(db, tasksCollection), collection(db, parameterChunksCollection)),
  };
}

/** Result of {@link jobStores}. */
export type JobStores = ReturnType<typeof jobStores>;
