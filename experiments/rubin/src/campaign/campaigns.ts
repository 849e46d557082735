/**
 * Reads what is known of workflows, one at a time. Graphs never change, and are kept for the workflows that
 * were asked for last; progress is read once for each revision of a workflow, and of a large one that changes
 * all the time only as often as it takes little of this process.
 */
import { type ExperimentOptions, positionOf, type Submissions } from '@rhizome/experiment';
import { TurnsByKey } from '@rhizome/retry';
import { type Campaign, campaignOf, type CampaignGraph, graphOf } from './campaign.js';
import type { QuantaRepository } from '../quanta.repository.js';
import type { QuantumReport } from '../reports/quantum-report.js';
import type { QuantumReportsRepository } from '../reports/quantum-reports.repository.js';
import type { WorkflowContent } from '../workflow.js';
import type { WorkflowDocument } from '../workflow.document.js';

/** Stored fields of a workflow that its campaign needs. */
export const campaignFields = [
  ...(['revision', 'workflowId', 'totalQuanta', 'totalJobs', 'labels', 'memoryMiB', 'nodeSizes'] as const),
  'workflowEnd',
] satisfies (keyof WorkflowDocument)[];

/** Dependencies of {@link Campaigns}. */
export interface CampaignsOptions {
  readonly workflows: Pick<Submissions<WorkflowDocument, WorkflowContent>, 'nodeStates'>;
  readonly quanta: Pick<QuantaRepository, 'graph'>;
  readonly reports: Pick<QuantumReportsRepository, 'of'>;
  readonly clock: ExperimentOptions['clock'];
}

/** Workflows whose graphs are kept: a graph of 20,000 quanta takes about 4 MB. */
const keptGraphs = 8;
/** Workflows whose progress is kept: about 10 MB each. */
const keptCampaigns = 4;
/** A reading that took longer than this, in milliseconds, counts as new for twice the time that it took. */
const shortMs = 100;

/** A reading of a workflow, done or not. */
interface Reading {
  /** As of the last question before the reading began. */
  workflow: WorkflowDocument;
  /** True until its turn comes: it will see all that was written so far. */
  isWaiting: boolean;
  /** Time until which it counts as new, as of the monotonic clock. */
  newUntil: number;
  readonly campaign: Promise<Omit<Campaign, 'now'>>;
}

export class Campaigns {
  readonly #options: CampaignsOptions;
  readonly #graphs = new Map<string, Promise<CampaignGraph>>();
  readonly #readings = new Map<string, Reading>();
  readonly #turns = new TurnsByKey();

  constructor(options: CampaignsOptions) {
    this.#options = options;
  }

  /** Campaign of a workflow; null if core does it as a task, whose jobs are not followed in detail. */
  of(workflow: WorkflowDocument): Promise<Campaign> | null {
    if (workflow.workflowId === undefined) return null;
    const { clock } = this.#options;
    return this.#reading(workflow).campaign.then((campaign) => ({ ...campaign, now: clock.now() }));
  }

  #reading(workflow: WorkflowDocument): Reading {
    const { _id, revision } = workflow;
    const known = this.#readings.get(_id);
    const isKnownNew = known !== undefined && this.#options.clock.monotonicMs() < known.newUntil;
    if (known?.isWaiting && known.workflow.revision < revision) known.workflow = workflow;
    const reading =
      known && (isKnownNew || known.workflow.revision >= revision) ? known : this.#begin(workflow);
    this.#readings.delete(_id);
    this.#readings.set(_id, reading);
    return reading;
  }

  /** Drops the oldest above the limit. Those that wait hold nothing yet, and more questions may join them. */
  #trim(): void {
    const done = [...this.#readings].filter(([, { isWaiting }]) => !isWaiting);
    for (const [id] of done.slice(0, Math.max(0, done.length - keptCampaigns))) this.#readings.delete(id);
  }

  #begin(workflow: WorkflowDocument): Reading {
    const { clock } = this.#options;
    const reading: Reading = {
      ...{ workflow, isWaiting: true, newUntil: 0 },
      campaign: this.#turns.run('campaigns', async () => {
        reading.isWaiting = false;
        this.#trim();
        const from = clock.monotonicMs();
        const campaign = await this.#read(reading.workflow);
        const to = clock.monotonicMs();
        if (to - from > shortMs) reading.newUntil = to + 2 * (to - from);
        return campaign;
      }),
    };
    reading.campaign.catch(() => {
      if (this.#readings.get(workflow._id) === reading) this.#readings.delete(workflow._id);
    });
    return reading;
  }

  async #read(workflow: WorkflowDocument): Promise<Omit<Campaign, 'now'>> {
    const { workflows, reports: repository } = this.#options;
    const { _id, totalJobs, nodeSizes } = workflow;
    const [graph, found, reports] = await Promise.all([
      kept(this.#graphs, keptGraphs, _id, () => this.#readGraph(workflow)),
      workflows.nodeStates(_id, 0, totalJobs),
      nodeSizes ? repository.of(_id) : new Map<number, QuantumReport>(),
    ]);
    const runs = new Map(found.map((node) => [positionOf(node).index, node]));
    return campaignOf({ workflow, graph, runs, reports });
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
