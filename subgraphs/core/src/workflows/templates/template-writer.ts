/** Writes the nodes and edges of templates. A repetition changes nothing. */
import type { AddedNode } from '../model/added-node.document.js';
import { blocksOf } from '../model/edges.js';
import { blockStarts, segmentsOf } from '../model/additions.js';
import type { NodeDocument } from '../model/node.document.js';
import { waitingState } from '../model/node-rules.js';
import type { WorkflowDocument } from '../model/workflow.document.js';
import { type AddedNodesRepository, templateCall } from '../store/added-nodes.repository.js';
import type { EdgesRepository } from '../store/edges.repository.js';
import type { NodesRepository } from '../store/nodes.repository.js';
import type { ExaminedNodes } from '../submit/node-examiner.js';
import { inputsOf, storedFiles } from '../submit/node-files.js';
import { storedJob } from '../submit/node-writer.js';
import { jobOf } from '../submit/workflow-input.js';
import type { NodeLabelSpec, NodeSpec } from '../submit/workflow-spec.types.js';
import type { PlannedNode } from '../submit/graph-input.js';
import { type PlannedTemplate, storedSubgraph } from './planned-template.js';

/** Dependencies of {@link TemplateWriter}. */
export interface TemplateWriterOptions {
  readonly templates: AddedNodesRepository;
  readonly nodes: Pick<NodesRepository, 'whole'>;
  readonly edges: Pick<EdgesRepository, 'containing'>;
}

/** Values from which the nodes of templates are made. */
export interface TemplateValues {
  readonly labels: ReadonlyMap<string, NodeLabelSpec>;
  readonly examined: Pick<ExaminedNodes, 'classOf' | 'secretIds'>;
  readonly planned: ReadonlyMap<string, PlannedTemplate>;
}

/** Writes templates. */
export class TemplateWriter {
  readonly #options: TemplateWriterOptions;

  constructor(options: TemplateWriterOptions) {
    this.#options = options;
  }

  /** Inserts templates of a workflow. */
  async write(
    workflow: Pick<WorkflowDocument, '_id' | 'priority'>,
    values: TemplateValues,
    at: Date,
  ): Promise<void> {
    const { templates } = this.#options;
    for (const { position, stored, source } of values.planned.values()) {
      const call = templateCall(workflow._id, position);
      if (source.workflow) await this.#copy(source.workflow, call, at);
      else {
        const nodes = source.nodes.map((node, one) =>
          nodeOf(node, source.planned[one], { ...values, priority: workflow.priority }),
        );
        await templates.insert(call, nodes, blocksOf(source.edges), at);
      }
      const count = await templates.count(call);
      if (count !== stored.nodes)
        throw new Error(
          `template ${stored.name} of ${workflow._id}: ${count} of ${stored.nodes} nodes are stored`,
        );
    }
  }

  async #copy(workflow: WorkflowDocument, call: ReturnType<typeof templateCall>, at: Date): Promise<void> {
    const { templates, nodes, edges } = this.#options;
    let first = 0;
    for await (const page of nodes.whole(workflow._id, workflow.nodes)) {
      await templates.insert(call, page.map(copyOf), [], at, first);
      first += page.length;
    }
    for (const start of blockStarts(segmentsOf(workflow)))
      await templates.insert(call, [], (await edges.containing(workflow, [start])).values(), at);
  }
}

function nodeOf(
  node: NodeSpec,
  place: PlannedNode | undefined,
  { labels, examined, planned, priority }: TemplateValues & { readonly priority: number },
): AddedNode {
  const inputs = inputsOf(node, labels);
  const template = node.subgraph == null ? undefined : planned.get(node.subgraph.template);
  const job = jobOf(node, labels);
  if (!place || (!template && !job)) throw new Error(`node ${node.name} was not examined`);
  const { label, total, needed, depth } = place;
  return {
    ...{ name: node.name, label, total, needed, depth },
    state: waitingState({ total, needed, met: 0, lost: 0 }),
    ...(node.subgraph != null && template
      ? { subgraph: storedSubgraph(node.subgraph, template, inputs) }
      : {}),
    ...(job ? { job: storedJob(job, { ...examined, priority }), inputs: storedFiles(inputs) } : {}),
  };
}

function copyOf({ name, label, total, needed, depth, job }: NodeDocument): AddedNode {
  const { nodeInputs, ...payload } = job?.payload ?? {};
  return {
    ...{ name, label, total, needed, depth, state: waitingState({ total, needed, met: 0, lost: 0 }) },
    ...(job ? { job: { ...job, payload: payload as typeof job.payload } } : {}),
    ...(nodeInputs ? { inputs: nodeInputs.files } : {}),
  };
}
