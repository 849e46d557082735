/** Rubin, built from its options. Opens no socket; follows no events before `start`. */
import {
  createSubmissions,
  type ExperimentOptions,
  type ExperimentService,
  prepareDatabase,
} from '@rhizome/experiment';
import { buildSubgraph } from '@rhizome/subgraph';
import type { Context } from './context.js';
import { collections, migrations } from './migrations.js';
import { QuantaRepository } from './quanta.repository.js';
import { policies, resolvers } from './resolvers.js';
import { typeDefs } from './typeDefs.generated.js';
import { workflowLabel, workflowPathRules, workflowRules } from './workflow.js';
import { workflowsCollection } from './workflow.document.js';

/** Migrates the database and builds. */
export async function buildRubin(options: ExperimentOptions): Promise<ExperimentService> {
  await prepareDatabase(options, migrations, collections);
  const quanta = new QuantaRepository(options.db);
  const workflows: Context['workflows'] = createSubmissions({
    ...options,
    experiment: 'rubin',
    definition: workflowsCollection,
    label: workflowLabel,
    rules: workflowRules(quanta),
    pathRules: workflowPathRules,
  });
  const subgraph = buildSubgraph<Context>({
    name: 'rubin',
    typeDefs,
    resolvers,
    policies,
    contextFactory: (base) => Object.assign(base, { workflows, quanta }),
  });
  const { start, stop, ready, following } = workflows;
  return { subgraph, start, stop, ready, following };
}
