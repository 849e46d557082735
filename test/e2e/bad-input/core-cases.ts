/** Wrong inputs of core's mutations for people. */
import type { BadInput } from './case.js';
import { bulk, taskCommands } from './core/command-cases.js';
import { experiments } from './core/experiment-cases.js';
import { policies } from './core/policy-cases.js';
import { downtimes, hosts, queues } from './core/queue-cases.js';
import { units } from './core/unit-cases.js';
import { datasets } from './core/dataset-cases.js';
import { fleets } from './core/fleet-cases.js';
import { storages } from './core/storage-cases.js';
import { workflows } from './core/workflow-cases.js';
import { jobs, tasks } from './core/submit-cases.js';

/** All of them. */
export const coreCases: readonly BadInput[] = [
  ...jobs,
  ...tasks,
  ...bulk,
  ...taskCommands,
  ...queues,
  ...downtimes,
  ...hosts,
  ...policies,
  ...experiments,
  ...units,
  ...workflows,
  ...datasets,
  ...fleets,
  ...storages,
];
