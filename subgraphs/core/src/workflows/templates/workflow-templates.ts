/** Templates whose nodes are those of another workflow. */
import type { Principal } from '@rhizome/authz';
import type { JobAccess } from '../../jobs/ports.js';
import { changeable } from '../control/workflow-access.js';
import { segmentsOf, submittedNodes } from '../model/additions.js';
import { blockStarts } from '../model/additions.js';
import type { WorkflowDocument } from '../model/workflow.document.js';
import type { EdgesRepository } from '../store/edges.repository.js';
import type { NodeCountsRepository } from '../store/node-counts.repository.js';
import type { NodeJobsRepository } from '../store/node-jobs.repository.js';
import type { NodesRepository } from '../store/nodes.repository.js';
import type { WorkflowsRepository } from '../store/workflows.repository.js';
import { checkTotals } from '../submit/graph-input.js';
import type { Owners } from '../submit/node-examiner.js';
import type { WorkflowErrors } from '../submit/workflow-errors.js';
import type { TemplateSpec } from '../submit/workflow-spec.types.js';
import { type CopiedNodesOptions, problemOfCopies } from './copied-nodes.js';
import type { PlannedTemplate } from './planned-template.js';
import {
  maxTemplateEdges,
  maxTemplateLabels,
  maxTemplateNodes,
  type TemplateErrors,
} from './template-input.js';

/** Dependencies of {@link WorkflowTemplates}. */
export interface WorkflowTemplatesOptions extends CopiedNodesOptions {
  readonly workflows: Pick<WorkflowsRepository, 'find'>;
  readonly nodes: Pick<NodesRepository, 'positionsOf'>;
  readonly nodeJobs: CopiedNodesOptions['nodeJobs'] &
    Pick<NodeJobsRepository, 'outputsOf' | 'outsideTemplates'>;
  readonly nodeCounts: Pick<NodeCountsRepository, 'groupCounts' | 'longestName'>;
  readonly edges: Pick<EdgesRepository, 'containing'>;
  readonly access: JobAccess;
}

/** Owner and experiment of the workflow that has the templates. */
export interface TemplateOwner extends Owners {
  readonly experiment: string;
}

/** Template of a workflow, and values of the workflow that gets it. */
export interface WorkflowTemplate extends Omit<TemplateSpec, 'workflowId' | 'nodes'> {
  readonly workflowId: string;
  readonly position: number;
  /** Names of nodes that conditions of loops are about. */
  readonly resultNodes: readonly string[];
  /** Labels that edges lead to and from. */
  readonly joined: ReadonlySet<string>;
  /** Sums of the templates before it. */
  readonly before: { readonly nodes: number; readonly bytes: number };
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
    { name, workflowId, outputs = [], position, resultNodes, joined, before }: WorkflowTemplate,
    errors: TemplateErrors & WorkflowErrors,
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
    const { experiment, groups, groupEdges, sealedAt, templates = [], layers, bytes = 0 } = workflow;
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
    const shared = groups.find(({ label }) => joined.has(label));
    if (shared)
      return refuse(`has the label "${shared.label}" of an edge in \`groupEdges\`; must have other labels`);
    // Each copy is stored, and what is to be stored is read: both are bounded before.
    const sums = { nodes: before.nodes + nodes, bytes: before.bytes + bytes };
    checkTotals({ ...sums, edges: 0, groups: 0 }, errors);
    if (!errors.isEmpty) return undefined;
    const edges = await this.#edges(workflow);
    if (edges > maxTemplateEdges) return refuse(`has ${edges} edges; must be at most ${maxTemplateEdges}`);
    const { nodeJobs } = this.#options;
    const other = await nodeJobs.outsideTemplates(workflowId, nodes);
    if (other) {
      const what = other.maxAdded === undefined ? 'reads from a label' : 'adds nodes';
      return refuse(`has node ${JSON.stringify(other.name)}, which ${what}; must have none`);
    }
    const copies = { ...owner, principal, workflowId, nodes };
    const problem = await problemOfCopies(this.#options, copies);
    if (problem) {
      const text = `Template ${JSON.stringify(name)}: ${problem.text}`;
      errors.report(problem.code, [...path, 'workflowId'], text);
      return undefined;
    }
    const counts = await this.#options.nodeCounts.groupCounts(workflowId, nodes);
    const declared = await nodeJobs.outputsOf(
      workflowId,
      (outputs ?? []).map(({ node }) => node),
    );
    for (const { node, output } of outputs ?? [])
      if (!declared.get(node)?.includes(output))
        return refuse(`has no node ${JSON.stringify(node)} that declares output ${JSON.stringify(output)}`);
    const positions = await this.#options.nodes.positionsOf(workflowId, resultNodes);
    const longestName = await this.#options.nodeCounts.longestName(workflowId, nodes);
    return {
      ...{ position, positions, source: { workflow, longestName } },
      stored: {
        ...{ name, nodes, bytes, edges, layers },
        groups: counts.map(({ label, nodes: count }) => ({ label, nodes: count })),
        outputs: (outputs ?? []).map(({ node, output }) => ({ node, output })),
      },
    };
  }

  async #edges(workflow: WorkflowDocument): Promise<number> {
    const blocks = await this.#options.edges.containing(workflow, blockStarts(segmentsOf(workflow)));
    return [...blocks.values()].reduce((sum, { targets }) => sum + targets.length, 0);
  }
}
