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
import type { EdgesRepository } from '../../src/workflows/store/edges.repository.js';
import type { PartsRepository } from '../../src/workflows/store/parts.repository.js';
import { WorkflowSubmits } from '../../src/workflows/submit/workflow-submit.service.js';
import { instead } from './instead.fixture.js';
import { killedAt } from './workflow-steps.fixture.js';

/** Services of a process. */
export interface SubmitProcess {
  readonly submits: WorkflowSubmits;
  readonly parts: WorkflowParts;
  readonly seals: WorkflowSeals;
}

/** Methods of stores that do something else. */
export interface ChangedStores {
  readonly pieces?: (store: PartsRepository) => Partial<PartsRepository>;
  readonly edges?: (store: EdgesRepository) => Partial<EdgesRepository>;
}

/** The submitter. */
export const submitter = testPrincipal({ subject: 'ada' });

const experiment = { name: 'alpha', shares: ['alpha/default'] };

/** No queues. */
export const noQueues = {
  idOf: async () => null,
  boundsOf: async () => null,
  admitted: async () => new Set<string>(),
  admitting: () => [],
};

/** A process that is killed before its n-th write, or whose stores do something else. */
export function submitProcess(
  db: TestDatabase,
  killAt = Infinity,
  { pieces: changedPieces, edges: changedEdges }: ChangedStores = {},
): SubmitProcess {
  const stores = workflowStores(db);
  const { classes, submissions: keys } = jobStores(db);
  const counted = killedAt(killAt);
  const workflows = instead(stores.workflows, {
    insert: counted((...args) => stores.workflows.insert(...args)),
    record: counted((...args) => stores.workflows.record(...args)),
  });
  const nodes = instead(stores.nodes, {
    insert: counted((...args) => stores.nodes.insert(...args)),
    setDepths: counted((...args) => stores.nodes.setDepths(...args)),
  });
  const edges = instead(stores.edges, {
    insert: counted((...args) => stores.edges.insert(...args)),
    ...changedEdges?.(stores.edges),
  });
  const pieces = instead(stores.parts, {
    insert: counted((...args) => stores.parts.insert(...args)),
    drop: counted((...args) => stores.parts.drop(...args)),
    ...changedPieces?.(stores.parts),
  });
  const submissions = instead(keys, { reserve: counted((...args) => keys.reserve(...args)) });
  const jobs = new JobsRepository(collection(db, jobsCollection));
  const clock = systemClock;
  const writer = new StepWriter({
    ...{ nodes, edges, steps: stores.steps, added: stores.added, templates: stores.templates, jobs, clock },
  });
  const journal = new Journal({ workflows, writer, clock });
  const parts = new PartStore({ nodes, parts: pieces, classes, journal, clock });
  const experiments = {
    find: async (name: string) => (name === experiment.name ? experiment : null),
    names: async () => [experiment.name],
  };
  const consents = { allows: async () => true, secretNames: async () => [] };
  const secrets = { usable: async () => [] };
  const checks = {
    experiments,
    queues: noQueues,
    consents,
    secrets,
    checkSelector: () => ({ ok: true }) as const,
  };
  const quota = { charge: async () => undefined };
  const warned = { whyNoWorker: async () => undefined, log: silentLogger() };
  const stored = { workflows, nodes, journal };
  const { nodeJobs, nodeCounts } = stores;
  const templates = instead(stores.templates, {
    insert: counted((...args) => stores.templates.insert(...args)),
  });
  return {
    submits: new WorkflowSubmits({
      ...{ ...stored, ...checks, ...warned, quota, clock },
      ...{
        edges,
        parts,
        templates,
        nodeJobs,
        nodeCounts,
        classes,
        submissions,
        access: { allows: () => false },
        ids: createIds(),
      },
    }),
    parts: new WorkflowParts({ ...stored, ...checks, quota, pieces, parts, clock }),
    seals: new WorkflowSeals({
      ...{ ...stored, ...warned, nodeJobs, experiments, queues: noQueues, consents, edges, pieces, clock },
    }),
  };
}
