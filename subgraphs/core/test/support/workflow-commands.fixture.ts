/** For tests: commands to workflows, by a process without background work. */
import { createIds, systemClock } from '@rhizome/clock';
import { silentLogger } from '@rhizome/log';
import type { TestDatabase } from '@rhizome/testkit';
import { jobStores } from '../../src/composition/job-stores.repository.js';
import { workflowStores } from '../../src/composition/workflows/workflow-stores.repository.js';
import type { LiveUsage } from '../../src/jobs/model/job.types.js';
import type { DatasetFacts, ExperimentDirectory, QueueBounds } from '../../src/jobs/ports.js';
import { WorkflowClones } from '../../src/workflows/clone/workflow-clone.service.js';
import { WorkflowCommands } from '../../src/workflows/control/workflow-commands.service.js';
import { WorkflowRetries } from '../../src/workflows/control/workflow-retries.service.js';
import { Journal } from '../../src/workflows/run/journal.js';
import type { NodeStops } from '../../src/workflows/run/node-stops.js';
import { StepWriter } from '../../src/workflows/run/step-writer.js';
import { noQueues } from './workflow-submits.fixture.js';

/** Commands, and the names of the nodes whose jobs they cancel. */
export interface CommandProcess {
  readonly commands: WorkflowCommands;
  readonly retries: WorkflowRetries;
  readonly clones: WorkflowClones;
  readonly stopped: readonly string[];
}

/** Facts that commands depend on. */
export interface CommandFacts {
  readonly datasets?: readonly DatasetFacts[];
  /** Names of secrets that callers may use. */
  readonly secrets?: readonly string[];
  /** Limits of all queues. */
  readonly bounds?: QueueBounds;
  /** Gets what is charged. */
  readonly charged?: LiveUsage[];
}

/** A process that receives commands, and knows these facts. It only notes which jobs it would cancel. */
export function commandProcess(
  db: TestDatabase,
  { datasets = [], secrets = [], bounds, charged = [] }: CommandFacts = {},
): CommandProcess {
  const stores = workflowStores(db);
  const { workflows, nodes, nodeJobs } = stores;
  const clock = systemClock;
  const writer = new StepWriter({ ...stores, jobs: { insertNew: async () => undefined }, clock });
  const journal = new Journal({ workflows, writer, clock });
  const stopped: string[] = [];
  const stops: Pick<NodeStops, 'ofNodes' | 'ofCancelled'> = {
    ofCancelled: async () => undefined,
    ofNodes: async (_workflow, found) => {
      stopped.push(...found.filter(({ submittedAt }) => submittedAt).map(({ name }) => name));
    },
  };
  const experiments: ExperimentDirectory = {
    names: async () => ['alpha'],
    find: async (name) => ({ name, shares: ['alpha/default'], datasets: async () => datasets }),
  };
  const quota = {
    charge: async (_experiment: string, _owner: string, usage: LiveUsage) => void charged.push(usage),
  };
  const queues = { ...noQueues, boundsOf: async () => bounds ?? null };
  const { classes, submissions } = jobStores(db);
  const own = { workflows, nodes, journal, access: { allows: () => false }, clock };
  return {
    commands: new WorkflowCommands({ ...own, stops: stops as NodeStops }),
    retries: new WorkflowRetries({
      ...{ ...own, nodeJobs, writer, classes, queues: noQueues, experiments },
      quota,
    }),
    clones: new WorkflowClones({
      ...{ ...stores, ...own, classes, submissions, queues, experiments, quota },
      ...{ consents: { allows: async () => true, secretNames: async () => [] }, ids: createIds() },
      ...{ whyNoWorker: async () => undefined, log: silentLogger() },
      secrets: {
        usable: async (_by, _jobs, named) => named.map(({ name }) => (secrets.includes(name) ? name : null)),
      },
    }),
    stopped,
  };
}
