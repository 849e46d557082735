/**
 * Reads what is known of workflows. Graphs never change, and are kept for the workflows that were asked for
 * last; progress is computed once for each revision of a workflow.
 */
import type { Submissions } from '@rhizome/experiment';
import { type Campaign, type CampaignGraph, graphOf, statesOf } from './campaign.js';
import type { QuantaRepository } from '../quanta.repository.js';
import type { QuantumReport } from '../reports/quantum-report.js';
import type { QuantumReportsRepository } from '../reports/quantum-reports.repository.js';
import type { WorkflowContent } from '../workflow.js';
import type { WorkflowDocument } from '../workflow.document.js';

/** Stored fields of a workflow that its campaign needs. */
export const campaignFields = [
  ...(['revision', 'workflowId', 'totalQuanta', 'totalJobs', 'labels', 'memoryMiB', 'nodeSizes'] as const),
] satisfies (keyof WorkflowDocument)[];

/** Dependencies of {@link Campaigns}. */
export interface CampaignsOptions {
  readonly workflows: Pick<Submissions<WorkflowDocument, WorkflowContent>, 'nodeStates'>;
  readonly quanta: QuantaRepository;
  readonly reports: QuantumReportsRepository;
  readonly clock: { now(): Date };
}

/** Workflows whose graphs are kept: a graph of 20,000 quanta takes about 4 MB. */
const keptGraphs = 8;
/** Workflows whose progress is kept: about 10 MB each. */
const keptCampaigns = 4;

export class Campaigns {
  readonly #options: CampaignsOptions;
  readonly #graphs = new Map<string, Promise<CampaignGraph>>();
  readonly #campaigns = new Map<string, Promise<Campaign>>();

  constructor(options: CampaignsOptions) {
    this.#options = options;
  }

  /** Campaign of a workflow; null if core does it as a task, whose jobs are not followed in detail. */
  of(workflow: WorkflowDocument): Promise<Campaign> | null {
    const { _id, revision } = workflow;
    if (workflow.workflowId === undefined) return null;
    return kept(this.#campaigns, keptCampaigns, `${_id} ${revision}`, () => this.#read(workflow));
  }

  async #read(workflow: WorkflowDocument): Promise<Campaign> {
    const { workflows, reports: repository, clock } = this.#options;
    const { _id, totalJobs, nodeSizes } = workflow;
    const [graph, found, reports] = await Promise.all([
      kept(this.#graphs, keptGraphs, _id, () => this.#readGraph(workflow)),
      workflows.nodeStates(_id, 0, totalJobs),
      nodeSizes ? repository.of(_id) : new Map<number, QuantumReport>(),
    ]);
    const runs = new Map(found.map((node) => [Number(node._id.slice(_id.length + 1)), node]));
    return { workflow, graph, runs, states: statesOf(graph, runs), reports, now: clock.now() };
  }

  async #readGraph({ _id, totalQuanta }: WorkflowDocument): Promise<CampaignGraph> {
    return graphOf(await this.#options.quanta.graph(_id, totalQuanta));
  }
}

/** The value of a key, made once; the oldest values above the limit are dropped, and failures at once. */
function kept<T>(
  values: Map<string, Promise<T>>,
  limit: number,
  key: string,
  make: () => Promise<T>,
): Promise<T> {
  const known = values.get(key);
  values.delete(key);
  const value = known ?? make();
  values.set(key, value);
  if (!known) value.catch(() => values.delete(key));
  for (const oldest of values.keys()) {
    if (values.size <= limit) break;
    values.delete(oldest);
  }
  return value;
}
