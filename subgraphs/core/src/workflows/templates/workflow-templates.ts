/** Templates whose nodes are those of another workflow. */
import type { Principal } from '@rhizome/authz';
import type { JobAccess } from '../../jobs/ports.js';
import { changeable } from '../control/workflow-access.js';
import { segmentsOf, submittedNodes } from '../model/additions.js';
import { blockStarts } from '../model/additions.js';
import type { NodeDocument } from '../model/node.document.js';
import type { WorkflowDocument } from '../model/workflow.document.js';
import type { EdgesRepository } from '../store/edges.repository.js';
import type { NodeCountsRepository } from '../store/node-counts.repository.js';
import type { NodeJobsRepository } from '../store/node-jobs.repository.js';
import type { NodesRepository } from '../store/nodes.repository.js';
import type { WorkflowsRepository } from '../store/workflows.repository.js';
import type { Owners } from '../submit/node-examiner.js';
import type { TemplateSpec } from '../submit/workflow-spec.types.js';
import type { PlannedTemplate } from './planned-template.js';
import {
  maxTemplateEdges,
  maxTemplateLabels,
  maxTemplateNodes,
  type TemplateErrors,
} from './template-input.js';

/** Dependencies of {@link WorkflowTemplates}. */
export interface WorkflowTemplatesOptions {
  readonly workflows: Pick<WorkflowsRepository, 'find'>;
  readonly nodes: Pick<NodesRepository, 'whole'>;
  readonly nodeJobs: Pick<NodeJobsRepository, 'outputsOf'>;
  readonly nodeCounts: Pick<NodeCountsRepository, 'groupCounts'>;
  readonly edges: Pick<EdgesRepository, 'containing'>;
  readonly access: JobAccess;
}

/** Owner and experiment of the workflow that has the templates. */
export interface TemplateOwner extends Owners {
  readonly experiment: string;
}

/** Makes templates of workflows. */
export class WorkflowTemplates {
  readonly #options: WorkflowTemplatesOptions;

  constructor(options: WorkflowTemplatesOptions) {
    this.#options = options;
  }

  /** Template of the nodes that a workflow was submitted with; undefined if there are errors. */
  async plan(
    principal: Principal,
    owner: TemplateOwner,
    { name, workflowId, outputs = [] }: Omit<TemplateSpec, 'workflowId'> & { readonly workflowId: string },
    position: number,
    errors: TemplateErrors,
  ): Promise<PlannedTemplate | undefined> {
    const path = ['templates', String(position)];
    const refuse = (problem: string): undefined => {
      const text = `Template ${JSON.stringify(name)}: workflow ${JSON.stringify(workflowId.slice(0, 100))} ${problem}`;
      errors.report('INVALID_VALUE', [...path, 'workflowId'], text);
    };
    const found = await this.#options.workflows.find(workflowId);
    const seen = {
      report: (_code: unknown, _path: unknown, message: string) =>
        errors.report('TEMPLATE_NOT_FOUND', [...path, 'workflowId'], message),
    };
    const workflow = changeable(
      seen,
      principal,
      'task:submit',
      { id: workflowId, workflow: found },
      this.#options.access,
    );
    if (!workflow) return undefined;
    const { experiment, groups, groupEdges, sealedAt, templates = [], layers } = workflow;
    if (experiment !== owner.experiment || workflow.owner !== owner.owner)
      return refuse('belongs to another owner or experiment; must be one of the same owner');
    if (!sealedAt) return refuse('is not sealed; must have all its nodes');
    if (groupEdges.length > 0) return refuse('has edges between labels, or final nodes; must have none');
    if (templates.length > 0) return refuse('has sub-graphs itself; must have none');
    if (workflow.additions) return refuse('has nodes that payloads have added; must have none');
    const nodes = submittedNodes(workflow);
    if (nodes > maxTemplateNodes) return refuse(`has ${nodes} nodes; must be at most ${maxTemplateNodes}`);
    if (groups.length > maxTemplateLabels)
      return refuse(`has ${groups.length} labels; must be at most ${maxTemplateLabels}`);
    const edges = await this.#edges(workflow);
    if (edges > maxTemplateEdges) return refuse(`has ${edges} edges; must be at most ${maxTemplateEdges}`);
    const problem = await this.#problemOf(workflow);
    if (problem !== undefined) return refuse(problem);
    const counts = await this.#options.nodeCounts.groupCounts(workflowId, nodes);
    const declared = await this.#options.nodeJobs.outputsOf(
      workflowId,
      (outputs ?? []).map(({ node }) => node),
    );
    for (const { node, output } of outputs ?? [])
      if (!declared.get(node)?.includes(output))
        return refuse(`has no node ${JSON.stringify(node)} that declares output ${JSON.stringify(output)}`);
    return {
      ...{ position, positions: new Map(), source: { workflow } },
      stored: {
        ...{ name, nodes, bytes: workflow.bytes ?? 0, edges, layers },
        groups: counts.map(({ label, nodes: count }) => ({ label, nodes: count })),
        outputs: (outputs ?? []).map(({ node, output }) => ({ node, output })),
      },
    };
  }

  async #edges(workflow: WorkflowDocument): Promise<number> {
    const blocks = await this.#options.edges.containing(workflow, blockStarts(segmentsOf(workflow)));
    return [...blocks.values()].reduce((sum, { targets }) => sum + targets.length, 0);
  }

  /** The first problem of a node that nodes of templates cannot have. */
  async #problemOf({ _id, nodes: count }: WorkflowDocument): Promise<string | undefined> {
    for await (const page of this.#options.nodes.whole(_id, count))
      for (const node of page) {
        const problem = problemOf(node);
        if (problem !== undefined) return `has node ${JSON.stringify(node.name)}, which ${problem}`;
      }
    return undefined;
  }
}

function problemOf({ maxAdded, job }: NodeDocument): string | undefined {
  if (maxAdded !== undefined) return 'adds nodes; must have none';
  if (job?.payload.nodeInputs?.files.some(({ label }) => label !== undefined))
    return 'reads from a label; must have none';
  return undefined;
}
