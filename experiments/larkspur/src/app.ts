/** Larkspur, built from its options. Opens no socket; follows no events before `start`. */
import {
  createSubmissions,
  type ExperimentOptions,
  type ExperimentService,
  prepareDatabase,
} from '@rhizome/experiment';
import { buildSubgraph } from '@rhizome/subgraph';
import type { Context } from './context.js';
import { collections, migrations } from './migrations.js';
import { amountsOf, observationLabel, observationPathRules, observationRules } from './observation.js';
import { observationsCollection } from './observation.document.js';
import { policies, resolvers } from './resolvers.js';
import { typeDefs } from './typeDefs.generated.js';

/** Migrates the database and builds. */
export async function buildLarkspur(options: ExperimentOptions): Promise<ExperimentService> {
  await prepareDatabase(options, migrations, collections);
  const observations: Context['observations'] = createSubmissions({
    ...options,
    experiment: 'larkspur',
    definition: observationsCollection,
    label: observationLabel,
    rules: observationRules,
    amountsOf,
    pathRules: observationPathRules,
  });
  const subgraph = buildSubgraph<Context>({
    name: 'larkspur',
    typeDefs,
    resolvers,
    policies,
    contextFactory: (base) => Object.assign(base, { observations }),
  });
  const { start, stop, ready, following } = observations;
  return { subgraph, start, stop, ready, following };
}
