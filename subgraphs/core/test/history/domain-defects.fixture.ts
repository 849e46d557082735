/** Faults of submits, dependencies, tasks, cancels and retries. */
import { collection } from '@rhizome/mongo';
import type { JobStores } from '../../src/composition/job-stores.repository.js';
import { jobsCollection } from '../../src/jobs/model/job.document.js';
import { findEdge } from '../../src/jobs/model/job-state.js';
import type { JobDocument } from '../../src/jobs/model/job.types.js';
import type { TransitionGroup } from '../../src/jobs/transitions/transition-group.types.js';
import type { SubmissionDocument } from '../../src/jobs/submit/submission.document.js';
import type { JobsRepository } from '../../src/jobs/model/jobs.repository.js';
import { instead } from '../support/instead.fixture.js';

import type { Defect } from './defect.types.js';
import { type Chapter, domainStory, type StoreFaults } from './domain-story.fixture.js';
import { alteredStore } from './writer-story.fixture.js';

const defect = (name: string, check: Defect['check'], chapter: Chapter, faults: StoreFaults): Defect => ({
  name,
  check,
  run: () => domainStory([chapter], faults),
});

/** Changes new jobs before they are written. */
const inserting =
  (change: (jobs: readonly JobDocument[]) => readonly JobDocument[]): StoreFaults =>
  ({ jobs }) => ({
    jobs: instead<JobsRepository>(jobs, { insertNew: (documents) => jobs.insertNew(change(documents)) }),
  });

/** Changes the writes of a group that a test selects. */
const transitions =
  (
    selects: (group: TransitionGroup) => boolean,
    write: (stores: JobStores, group: TransitionGroup) => Promise<number | null>,
  ): StoreFaults =>
  (stores) => ({
    transitions: {
      read: (ids) => stores.transitions.read(ids),
      write: (group) => (selects(group) ? write(stores, group) : stores.transitions.write(group)),
    },
  });

/** Conditions that groups of dependencies lose. */
const withoutConditions =
  (...names: readonly string[]): StoreFaults =>
  ({ transitions: store }, db) => ({
    transitions: alteredStore(({ filter, set }, group) => ({
      filter: isRelease(group)
        ? Object.fromEntries(Object.entries(filter).filter(([name]) => !names.includes(name)))
        : filter,
      set,
    }))(store, collection(db, jobsCollection)),
  });

const isRelease = ({ edge, requests }: TransitionGroup): boolean =>
  edge.to === 'ACTIVATED' && requests.some(({ by }) => by === 'dependency');

const reserving =
  (change: (document: SubmissionDocument) => SubmissionDocument): StoreFaults =>
  ({ submissions }) => ({
    submissions: instead(submissions, {
      find: async () => null,
      reserve: (document) => submissions.reserve(change(document)),
    }),
  });

/** All jobs have ended, by any count. */
const countingEnds: StoreFaults = ({ jobCounts }) => ({
  jobCounts: instead(jobCounts, {
    stateCounts: async (ids) => new Map(ids.map((id) => [id, { FINISHED: 2 }])),
  }),
});

let serial = 0;

const submits: readonly Defect[] = [
  defect(
    'loses a job of a submit',
    'submits-are-whole',
    'submit',
    inserting((jobs) => jobs.slice(1)),
  ),
  defect(
    'takes a repeated submit for another one',
    'keys-have-one-answer',
    'submit',
    reserving((document) => ({ ...document, _id: `${document._id} ${(serial += 1)}` })),
  ),
  defect(
    'gives two submits one batch',
    'keys-have-one-batch',
    'submit',
    reserving((document) => ({ ...document, batchId: 'batch_1' })),
  ),
  defect(
    'writes a job of a task twice',
    'task-positions-are-unique',
    'task',
    inserting((jobs) => jobs.flatMap((job) => [job, { ...job, _id: `${job._id}_` }])),
  ),
];

const dependencies: readonly Defect[] = [
  defect(
    'releases a job after the first of its parents',
    'children-follow-parents',
    'dependencies',
    withoutConditions('waitingFor'),
  ),
  defect('releases a job twice', 'released-once', 'dependencies', (stores, db) => {
    const { transitions: careless = stores.transitions } = withoutConditions('state', 'waitingFor')(
      stores,
      db,
    );
    return transitions(isRelease, async (_stores, group) => {
      const released = await stores.transitions.write(group);
      return released === 0 ? 0 : careless.write(group);
    })(stores, db);
  }),
  defect(
    'closes the children of a parent that FINISHED',
    'closed-for-a-reason',
    'dependencies',
    transitions(isRelease, async ({ transitions: store }, group) => {
      const edge = findEdge('PENDING', 'CLOSED');
      return edge ? store.write({ ...group, edge }) : 0;
    }),
  ),
  defect(
    'forgets by which key the end of a parent finds a job',
    'waiting-jobs-go-on',
    'submit',
    inserting((jobs) => jobs.map((job) => ({ ...job, state: 'PENDING', waitingFor: ['job_other'] }))),
  ),
  defect(
    'lets a job wait for a parent of another one',
    'waits-for-its-parents',
    'submit',
    inserting((jobs) => jobs.map((job) => ({ ...job, waitingFor: ['job_other'] }))),
  ),
];

const tasks: readonly Defect[] = [
  defect('ends a task by a wrong count', 'tasks-follow-their-jobs', 'retry', countingEnds),
  defect('ends a task before its jobs', 'tasks-end-last', 'task', countingEnds),
];

const changes: readonly Defect[] = [
  defect(
    'acknowledges a cancel that it does not make',
    'acknowledged-cancels-hold',
    'cancel',
    transitions(
      ({ edge }) => edge.to === 'CANCELLED',
      async (_stores, { requests }) => requests.length,
    ),
  ),
  defect(
    'does not record which job a copy retries',
    'retries-are-new-jobs',
    'retry',
    inserting((jobs) => jobs.map(({ retryOf: _retryOf, ...job }) => job)),
  ),
  defect(
    'replaces jobs of a task by copies that it does not write',
    'replaced-jobs-have-copies',
    'retry',
    inserting((jobs) => jobs.filter(({ retryOf }) => retryOf === undefined)),
  ),
];

/** All of them. */
export const domainDefects: readonly Defect[] = [...submits, ...dependencies, ...tasks, ...changes];
