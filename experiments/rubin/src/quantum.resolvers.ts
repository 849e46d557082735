/** Resolvers of quanta and of the answers about them. */
import { positionOf, type SubmissionEntity } from '@rhizome/experiment';
import { byKey, defineLoader } from '@rhizome/subgraph';
import { blockersOf, type Campaign, quantumRun, quantumState } from './campaign/campaign.js';
import type { Context } from './context.js';
import { reportText } from './campaign/progress.js';
import type { Resolvers } from './types.generated.js';
import { type QuantumDocument, quantumId, type WorkflowDocument } from './workflow.document.js';

/** Quanta that block one, at most. */
const maxBlockedBy = 10;

const quantumLoader = defineLoader<string, QuantumDocument, Context>({
  name: 'RubinQuantum',
  load: async (ids, { quanta }) => byKey(ids, await quanta.find(ids), ({ _id }) => _id),
});

/** Quanta of a workflow at positions, in their order. */
export async function quantaAtPositions(
  workflowId: string,
  positions: readonly number[],
  { loaders }: Context,
): Promise<QuantumDocument[]> {
  const ids = positions.map((index) => quantumId(workflowId, index));
  const found = await Promise.all(ids.map((id) => loaders.load(quantumLoader, id)));
  return found.map((quantum, at) => {
    if (quantum) return quantum;
    throw new Error(`there is no quantum ${ids[at]}`);
  });
}

type Types =
  | 'RubinBlocker'
  | 'RubinFailure'
  | 'RubinLabelProgress'
  | 'RubinQuantum'
  | 'RubinQuantumRun'
  | 'RubinReport'
  | 'RubinSite';

/** The resolvers. @param workflow type of workflows */
export function quantumResolvers(
  workflow: SubmissionEntity<WorkflowDocument, Context>,
): Pick<Resolvers, Types> {
  const campaignOf = async (quantum: QuantumDocument, { loaders, campaigns }: Context) => {
    const { parentId: workflowId, index } = positionOf(quantum);
    const of = await loaders.load(workflow.loader, workflowId);
    const campaign = of && (await campaigns.of(of));
    return campaign ? { campaign, index } : null;
  };
  const node = async (quantum: QuantumDocument, context: Context) => {
    const found = await campaignOf(quantum, context);
    return found ? quantumRun(found.campaign, found.index) : {};
  };
  return {
    RubinQuantum: {
      needs: ({ needs }) => [...needs],
      dimensions: ({ dimensions }) => [...(dimensions ?? [])],
      cluster: ({ cluster }) => cluster ?? null,
      state: async (quantum, _args, context) => {
        const found = await campaignOf(quantum, context);
        return found ? quantumState(found.campaign, found.index) : null;
      },
      run: async (quantum, _args, context) => (await node(quantum, context)).run ?? null,
      report: async (quantum, _args, context) => {
        const found = await campaignOf(quantum, context);
        return found?.campaign.reports.get(found.index) ?? null;
      },
      previousRun: async (quantum, _args, context) => (await node(quantum, context)).before ?? null,
      blockedBy: async (quantum, _args, context) => {
        const found = await campaignOf(quantum, context);
        if (!found || quantumState(found.campaign, found.index) !== 'BLOCKED') return [];
        const positions = blockersOf(found.campaign, found.index, maxBlockedBy);
        return quantaOf(found.campaign, positions, context);
      },
    },
    RubinQuantumRun: {
      job: ({ jobId }) => ({ id: jobId }),
      coreHours: ({ coreSeconds }) => coreSeconds / 3600,
      site: ({ site: name }) => (name === undefined ? null : { name }),
      startedAt: ({ startedAt }) => startedAt ?? null,
      endedAt: ({ endedAt }) => endedAt ?? null,
    },
    RubinLabelProgress: {
      waiting: ({ counts }) => counts.WAITING,
      ready: ({ counts }) => counts.READY,
      running: ({ counts }) => counts.RUNNING,
      held: ({ counts }) => counts.HELD,
      succeeded: ({ counts }) => counts.SUCCEEDED,
      failed: ({ counts }) => counts.FAILED,
      cancelled: ({ counts }) => counts.CANCELLED,
      blocked: ({ counts }) => counts.BLOCKED,
    },
    RubinFailure: {
      labels: ({ labels }) => [...labels],
      sites: ({ sites }) => sites.map((name) => ({ name })),
      samples: ({ campaign, samples }, _args, context) => quantaOf(campaign, samples, context),
    },
    RubinBlocker: {
      quantum: async ({ campaign, index }, _args, context) => {
        const [quantum] = await quantaOf(campaign, [index], context);
        if (quantum) return quantum;
        throw new Error(`there is no quantum ${index}`);
      },
    },
    RubinSite: { site: ({ name }) => ({ name }) },
    RubinReport: {
      rows: ({ rows }) => [...rows],
      text: ({ rows }) => reportText(rows),
    },
  };
}

/** Quanta of a campaign at positions. */
export function quantaOf(
  { workflow }: Campaign,
  positions: readonly number[],
  context: Context,
): Promise<QuantumDocument[]> {
  return quantaAtPositions(workflow._id, positions, context);
}
