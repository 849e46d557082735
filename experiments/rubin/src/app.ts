/** Rubin, built from its options. Opens no socket; follows no events before `start`. */
import {
  createSubmissions,
  type ExperimentOptions,
  type ExperimentService,
  prepareDatabase,
} from '@rhizome/experiment';
import { buildSubgraph } from '@rhizome/subgraph';
import { Campaigns } from './campaign/campaigns.js';
import type { Context } from './context.js';
import { collections, migrations } from './migrations.js';
import { QuantaRepository } from './quanta.repository.js';
import { QuantumReportsRepository } from './reports/quantum-reports.repository.js';
import { ReportReader } from './reports/report-reader.js';
import { policies, resolvers } from './resolvers.js';
import { typeDefs } from './typeDefs.generated.js';
import { quantaAt, workflowLabel, workflowPathRules, workflowRules } from './workflow.js';
import { workflowsCollection } from './workflow.document.js';

/** Migrates the database and builds. */
export async function buildRubin(options: ExperimentOptions): Promise<ExperimentService> {
  await prepareDatabase(options, migrations, collections);
  const quanta = new QuantaRepository(options.db);
  const reports = new QuantumReportsRepository(options.db, options.clock);
  const workflows: Context['workflows'] = createSubmissions({
    ...options,
    experiment: 'rubin',
    definition: workflowsCollection,
    label: workflowLabel,
    rules: workflowRules(quanta),
    amountsOf: (workflow, index, outcome) =>
      outcome === 'FINISHED' ? { quanta: quantaAt(workflow, index) } : {},
    alongside: (news, session) => reports.note(news, session),
    recorded: () => reader.wake(),
    pathRules: workflowPathRules,
  });
  const reader = new ReportReader({
    ...{ core: options.core, quanta, reports, log: options.log },
    workflowOf: async (id) => (await workflows.find([id]))[0],
  });
  const campaigns = new Campaigns({ workflows, quanta, reports, clock: options.clock });
  const subgraph = buildSubgraph<Context>({
    name: 'rubin',
    typeDefs,
    resolvers,
    policies,
    contextFactory: (base) => Object.assign(base, { workflows, quanta, campaigns }),
  });
  const { start, ready, following } = workflows;
  const stop = async (): Promise<void> => {
    await Promise.all([workflows.stop(), reader.stop()]);
  };
  return { subgraph, start, stop, ready, following };
}
