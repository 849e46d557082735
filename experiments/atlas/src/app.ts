/** ATLAS, built from its options. Opens no socket; follows no events before `start`. */
import {
  createSubmissions,
  type ExperimentOptions,
  type ExperimentService,
  prepareDatabase,
} from '@rhizome/experiment';
import { buildSubgraph } from '@rhizome/subgraph';
import type { Context } from './context.js';
import { collections, migrations } from './migrations.js';
import { amountsOf, productionTaskPathRules, productionTaskRules, taskLabel } from './production-task.js';
import { productionTasksCollection } from './production-task.document.js';
import { policies, resolvers } from './resolvers.js';
import { typeDefs } from './typeDefs.generated.js';

/** Migrates the database and builds. */
export async function buildAtlas(options: ExperimentOptions): Promise<ExperimentService> {
  await prepareDatabase(options, migrations, collections);
  const tasks: Context['tasks'] = createSubmissions({
    ...options,
    experiment: 'atlas',
    definition: productionTasksCollection,
    label: taskLabel,
    rules: productionTaskRules,
    amountsOf,
    pathRules: productionTaskPathRules,
  });
  const subgraph = buildSubgraph<Context>({
    name: 'atlas',
    typeDefs,
    resolvers,
    policies,
    contextFactory: (base) => Object.assign(base, { tasks }),
  });
  const { start, stop, ready, following } = tasks;
  return { subgraph, start, stop, ready, following };
}
