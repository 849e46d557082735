/** For tests: processes that submit workflows, and may be killed at any of their writes. */
import { createIds, systemClock } from '@rhizome/clock';
import { silentLogger } from '@rhizome/log';
import { type TestDatabase, testPrincipal } from '@rhizome/testkit';
import { jobStores } from '../../src/composition/job-stores.repository.js';
import { workflowStores } from '../../src/composition/workflows/workflow-stores.repository.js';
import { JobsRepository } from '../../src/jobs/model/jobs.repository.js';
import { collection } from '@rhizome/mongo';
import { jobsCollection } from '../../src/jobs/model/job.document.js';
import { PartStore } from '../../src/workflows/parts/part-store.js';
import { WorkflowParts } from '../../src/workflows/parts/workflow-parts.service.js';
import { WorkflowSeals } from '../../src/workflows/parts/workflow-seal.service.js';
import { Journal } from '../../src/workflows/run/journal.js';
import { StepWriter } from '../../src/workflows/run/step-writer.js';
import { WorkflowSubmits } from '../../src/workflows/submit/workflow-submit.service.js';
import { instead } from './instead.fixture.js';
import { Killed } from './workflow-steps.fixture.js';

/** Services of a process. */
export interface SubmitProcess {
  readonly submits: WorkflowSubmits;
  readonly parts: WorkflowParts;
  readonly seals: WorkflowSeals;
}

/** The submitter. */
export const submitter = testPrincipal({ subject: 'ada' });

const experiment = { name: 'alpha', shares: ['alpha/default'] };

/** A process that is killed before its n-th write. */
export function submitProcess(db: TestDatabase, killAt = Infinity): SubmitProcess {
  const stores = workflowStores(db);
  const { classes, submissions: keys } = jobStores(db);
  let writes = 0;
  const counted =
    <A extends readonly unknown[], R>(write: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      if ((writes += 1) >= killAt) throw new Killed();
      return write(...args);
    };
  const workflows = instead(stores.workflows, {
    insert: counted((...args) => stores.workflows.insert(...args)),
    record: counted((...args) => stores.workflows.record(...args)),
  });
  const nodes = instead(stores.nodes, {
    insert: counted((...args) => stores.nodes.insert(...args)),
    setDepths: counted((...args) => stores.nodes.setDepths(...args)),
  });
  const edges = instead(stores.edges, { insert: counted((...args) => stores.edges.insert(...args)) });
  const pieces = instead(stores.parts, {
    insert: counted((...args) => stores.parts.insert(...args)),
    drop: counted((...args) => stores.parts.drop(...args)),
  });
  const submissions = instead(keys, { reserve: counted((...args) => keys.reserve(...args)) });
  const jobs = new JobsRepository(collection(db, jobsCollection));
  const clock = systemClock;
  const writer = new StepWriter({ nodes, edges, steps: stores.steps, jobs, clock });
  const journal = new Journal({ workflows, writer, clock });
  const parts = new PartStore({ nodes, parts: pieces, classes, journal, clock });
  const options = {
    ...{ workflows, nodes, edges, pieces, parts, journal, classes, submissions, clock, ids: createIds() },
    experiments: {
      find: async (name: string) => (name === experiment.name ? experiment : null),
      names: async () => [experiment.name],
    },
    queues: {
      idOf: async () => null,
      boundsOf: async () => null,
      admitted: async () => new Set<string>(),
      admitting: () => [],
    },
    consents: { allows: async () => true, secretNames: async () => [] },
    secrets: { usable: async () => [] },
    checkSelector: () => ({ ok: true }) as const,
    quota: { charge: async () => undefined },
    whyNoWorker: async () => undefined,
    log: silentLogger(),
  };
  return {
    submits: new WorkflowSubmits(options),
    parts: new WorkflowParts(options),
    seals: new WorkflowSeals(options),
  };
}
