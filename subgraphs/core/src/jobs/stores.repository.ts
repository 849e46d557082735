import { collection } from '@rhizome/mongo';
import type { Db } from 'mongodb';
import { parameterChunksCollection, tasksCollection } from '../tasks/task.document.js';
import { TasksRepository } from '../tasks/tasks.repository.js';
import { bulkOperationsCollection } from './bulk-operation.document.js';
import { BulkRepository } from './bulk.repository.js';
import { ClassesRepository } from './classes.repository.js';
import { consumersCollection } from './consumer.document.js';
import { ConsumersRepository } from './consumers.repository.js';
import { jobsCollection } from './job.document.js';
import { jobLogHeadsCollection, jobLogsCollection } from './job-log.document.js';
import { JobLogsRepository } from './job-logs.repository.js';
import { JobsRepository } from './jobs.repository.js';
import { requirementClassesCollection } from './requirement-class.document.js';
import { submissionsCollection } from './submission.document.js';
import { SubmissionsRepository } from './submissions.repository.js';
import { transitionStore } from './transitions.repository.js';

/** Collections of jobs and tasks, to be made before anything else. */
export const jobCollections = [
  jobsCollection,
  requirementClassesCollection,
  submissionsCollection,
  bulkOperationsCollection,
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
    transitions: transitionStore(collection(db, jobsCollection)),
    classes: new ClassesRepository(collection(db, requirementClassesCollection)),
    submissions: new SubmissionsRepository(collection(db, submissionsCollection)),
    operations: new BulkRepository(collection(db, bulkOperationsCollection)),
    consumers: new ConsumersRepository(collection(db, consumersCollection)),
    logs: new JobLogsRepository(collection(db, jobLogsCollection), collection(db, jobLogHeadsCollection)),
    tasks: new TasksRepository(collection(db, tasksCollection), collection(db, parameterChunksCollection)),
  };
}

/** What {@link jobStores} makes. */
export type JobStores = ReturnType<typeof jobStores>;
