/** Stores the parts of workflows that are not sealed. */
import type { Clock } from '@rhizome/clock';
import type { WorkflowDocument } from '../model/workflow.document.js';
import type { Journal } from '../run/journal.js';
import { emptiedAgain } from '../run/open-workflows.js';
import type { NodesRepository } from '../store/nodes.repository.js';
import type { PartsRepository } from '../store/parts.repository.js';
import type { ExaminedNodes } from '../submit/node-examiner.js';
import { NodeWriter, type NodeWriterOptions } from '../submit/node-writer.js';
import type { GivenNodes } from '../submit/workflow-input.js';
import type { PartPlan } from './part-input.js';
import { type PartHead, piecesOf } from './part-pieces.js';

/** Dependencies of {@link PartStore}. */
export interface PartStoreOptions extends NodeWriterOptions {
  readonly nodes: NodesRepository;
  readonly parts: PartsRepository;
  readonly journal: Journal;
  readonly clock: Clock;
}

/** Content of a part. */
export interface PartToWrite {
  readonly given: Pick<GivenNodes, 'nodes' | 'labels'>;
  readonly plan: PartPlan;
  readonly examined: Pick<ExaminedNodes, 'classOf' | 'secretIds'>;
  /** Set for the beginning. */
  readonly head?: PartHead;
}

/** Writes parts that are recorded in their workflows. A repetition changes nothing. */
export class PartStore {
  readonly #options: PartStoreOptions;
  readonly #writer: NodeWriter;

  constructor(options: PartStoreOptions) {
    this.#options = options;
    this.#writer = new NodeWriter(options);
  }

  /** Writes the nodes of a part, and what the seal needs. */
  async write(
    workflow: WorkflowDocument,
    part: number,
    { given, plan, examined, head }: PartToWrite,
  ): Promise<void> {
    const { parts, clock } = this.#options;
    const recorded = workflow.parts?.[part];
    if (!recorded) throw new Error(`part ${part} of ${workflow._id} is not recorded`);
    const { first } = recorded;
    const at = clock.now();
    await this.#writer.write(workflow, { ...given, first, planned: plan.planned, examined, at });
    await parts.insert(workflow._id, part, piecesOf({ ...given, first, head }, examined.classOf), at);
  }

  /** Records that all of a part is stored. @returns the workflow afterwards; null if it does not exist */
  async stored(id: string, part: number): Promise<WorkflowDocument | null> {
    const changed = await this.#options.journal.change(id, async (workflow) => {
      const { state, parts } = workflow;
      const recorded = parts?.[part];
      if (state !== 'OPEN') return emptiedAgain(workflow);
      if (!parts || !recorded || recorded.isStored) return undefined;
      return { patch: { parts: parts.with(part, { ...recorded, isStored: true }), partCount: part } };
    });
    return changed?.workflow ?? null;
  }
}
