/** ePIC, built from its options. Opens no socket; follows no events before `start`. */
import {
  createSubmissions,
  type ExperimentOptions,
  type ExperimentService,
  prepareDatabase,
} from '@rhizome/experiment';
import { buildSubgraph } from '@rhizome/subgraph';
import type { Context } from './context.js';
import { createLiveRuns } from './live/live.module.js';
import { collections, migrations } from './migrations.js';
import { policies, resolvers } from './resolvers.js';
import { amountsOf, runLabel, runPathRules, runRules } from './run.js';
import { runsCollection } from './run.document.js';
import { typeDefs } from './typeDefs.generated.js';

/** Migrates the database and builds. */
export async function buildEpic(options: ExperimentOptions): Promise<ExperimentService> {
  await prepareDatabase(options, migrations, collections);
  const runs: Context['runs'] = createSubmissions({
    ...options,
    experiment: 'epic',
    definition: runsCollection,
    label: runLabel,
    rules: runRules,
    amountsOf,
    pathRules: runPathRules,
  });
  const live = createLiveRuns(options);
  const subgraph = buildSubgraph<Context>({
    name: 'epic',
    typeDefs,
    resolvers,
    policies,
    contextFactory: (base) => Object.assign(base, { runs, live }),
  });
  const { ready, following } = runs;
  const start = async (): Promise<void> => {
    await runs.start();
    live.start();
  };
  const stop = async (): Promise<void> => {
    await Promise.all([runs.stop(), live.stop()]);
  };
  return { subgraph, start, stop, ready, following };
}
