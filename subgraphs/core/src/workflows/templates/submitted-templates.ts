/** Templates of a workflow that is submitted: their checks, and what the workflow may become with them. */
import type { Principal } from '@rhizome/authz';
import type { InputError } from '@rhizome/errors';
import type { TimeSlices } from '../../shared/time-slices.js';
import type { StoredNesting } from '../model/scopes.js';
import { joinedGroups, noNodes } from '../model/node-rules.js';
import type { StoredNodeGroup } from '../model/workflow.types.js';
import { checkGroupCount, type WorkflowPlan } from '../submit/graph-input.js';
import type { SubmitErrorCode, WorkflowError, WorkflowErrors } from '../submit/workflow-errors.js';
import { type GivenNodes, maxErrors } from '../submit/workflow-input.js';
import type { NodeSpec, TemplateSpec, WorkflowSpec } from '../submit/workflow-spec.types.js';
import type { PlannedTemplate } from './planned-template.js';
import {
  bytesOfNodes,
  checkTemplates,
  checkUnits,
  planTemplate,
  type TemplateErrors,
} from './template-input.js';
import { checkLabelLimits, checkUse } from './template-limits.js';
import { checkNested, nestedTotals, type NestingGraph } from './template-totals.js';
import {
  type TemplateOwner,
  WorkflowTemplates,
  type WorkflowTemplatesOptions,
} from './workflow-templates.js';

/** Dependencies of {@link SubmittedTemplates}. */
export type SubmittedTemplatesOptions = WorkflowTemplatesOptions;

/** Workflow with templates, whose nodes are examined. */
export interface TemplatedWorkflow {
  readonly principal: Principal;
  readonly owner: TemplateOwner;
  readonly given: GivenNodes;
  readonly whole: WorkflowPlan;
  readonly spec: WorkflowSpec;
  /** Bytes of the payloads of all nodes, those of templates included. */
  readonly bytes: number;
}

/** Templates that may be stored, and the workflow with them. */
export interface NestedPlan {
  /** By name, in their order. */
  readonly planned: ReadonlyMap<string, PlannedTemplate>;
  /** Groups of the workflow, with those that only nodes of templates belong to. */
  readonly groups: readonly StoredNodeGroup[];
  /** Bytes of the payloads of its own nodes. */
  readonly bytes: number;
  /** Sums of all that its sub-graphs may add. */
  readonly nesting: StoredNesting;
  /** Most nodes and bytes with those of its sub-graphs. */
  readonly most: { readonly nodes: number; readonly bytes: number };
}

type Errors = TemplateErrors & WorkflowErrors;

/** Checks templates. */
export class SubmittedTemplates {
  readonly #workflows: WorkflowTemplates;

  constructor(options: SubmittedTemplatesOptions) {
    this.#workflows = new WorkflowTemplates(options);
  }

  /** The nodes of a workflow, and behind them those of its templates, to examine their values together. */
  withTemplates(given: GivenNodes, templates: readonly TemplateSpec[], errors: TemplateErrors): GivenNodes {
    checkTemplates(templates, errors);
    const inner = templates.flatMap(({ nodes }) => nodes ?? []);
    return { ...given, nodes: [...given.nodes, ...inner], templatesFrom: given.nodes.length };
  }

  /** Labels that nodes outside of templates have, or none. */
  labelsOf({ nodes, labels }: GivenNodes, templates: readonly TemplateSpec[]): GivenNodes['labels'] {
    const outer = new Set(nodes.flatMap(({ label }) => label ?? []));
    const inner = new Set(templates.flatMap((one) => (one.nodes ?? []).flatMap(({ label }) => label ?? [])));
    return new Map([...labels].filter(([label]) => outer.has(label) || !inner.has(label)));
  }

  /** Errors with the paths of nodes of templates instead of their positions behind the others. */
  placed(
    errors: readonly InputError<SubmitErrorCode>[],
    { nodes, templates }: Pick<WorkflowSpec, 'nodes' | 'templates'>,
  ): readonly WorkflowError[] {
    return errors.slice(0, maxErrors).map((error) => {
      const [field, position, ...rest] = error.path;
      let at = Number(position) - nodes.length;
      if (field !== 'nodes' || !(at >= 0)) return error;
      for (const [template, { nodes: inner }] of (templates ?? []).entries()) {
        const count = inner?.length ?? 0;
        if (at < count)
          return { ...error, path: ['templates', String(template), 'nodes', String(at), ...rest] };
        at -= count;
      }
      return error;
    });
  }

  /** Arranges templates, and checks the workflow with all that they may add; undefined for errors. */
  async plan(
    { principal, owner, given, whole, spec, bytes: all }: TemplatedWorkflow,
    slices: TimeSlices,
    errors: Errors,
  ): Promise<NestedPlan | undefined> {
    const { labels, nodes } = given;
    const templates = spec.templates ?? [];
    const context = { labels, groupEdges: spec.groupEdges ?? [], templates };
    const planned = new Map<string, PlannedTemplate>();
    checkUse(nodes, templates, errors);
    if (!errors.isEmpty) return undefined;
    const joined = new Set(context.groupEdges.flatMap(({ from, to }) => [from, to]));
    const before = { nodes: nodes.length, bytes: all };
    for (const [position, { name, nodes: inner, workflowId, outputs }] of templates.entries()) {
      const own = { name, ...(outputs ? { outputs } : {}) };
      const template = inner
        ? await planTemplate({ ...own, nodes: inner }, position, context, slices, errors)
        : await this.#workflows.plan(
            principal,
            owner,
            {
              ...{ ...own, workflowId: workflowId ?? '', position, joined, before },
              resultNodes: resultNodesOf(name, nodes, templates),
            },
            errors,
          );
      // What another workflow adds to the sums is not read after an error.
      if (!template && !inner) break;
      if (!template) continue;
      planned.set(name, template);
      before.nodes += template.stored.nodes;
      // Bytes of inline nodes are among those of all.
      if (!inner) before.bytes += template.stored.bytes;
    }
    if (!errors.isEmpty) return undefined;
    checkUnits(nodes, planned, { labels, path: ['nodes'] }, errors);
    for (const [at, { nodes: inner }] of templates.entries())
      checkUnits(inner ?? [], planned, { labels, path: ['templates', at, 'nodes'] }, errors);
    if (!errors.isEmpty) return undefined;
    const specs = templates.flatMap((one) => one.nodes ?? []);
    const bytes = all - bytesOfNodes(specs, labels);
    const graph = graphOf(nodes, { bytes, edges: whole.edges.targets.length });
    const graphs = new Map([...planned].map(([name, template]) => [name, templateGraph(name, template)]));
    const totals = nestedTotals(graph, graphs, errors);
    if (!totals) return undefined;
    if (templates.length > 0) {
      checkNested(totals, errors);
      checkLabelLimits({ nodes, templates, planned, labels }, errors);
    }
    const groups = joinedGroups(whole.groups, innerGroups(planned, labels));
    checkGroupCount(groups.length, errors);
    const most = { nodes: totals.nodes, bytes: totals.bytes };
    const nesting = {
      ...{ nodes: most.nodes - graph.nodes, bytes: most.bytes - bytes, edges: totals.edges - graph.edges },
      ...{ units: totals.units, iterations: totals.iterations },
    };
    return { planned, groups, bytes, most, nesting };
  }
}

function graphOf(
  nodes: readonly NodeSpec[],
  { bytes, edges }: Pick<NestingGraph, 'bytes' | 'edges'>,
): NestingGraph {
  const longestName = nodes.reduce((most, { name }) => Math.max(most, name.length), 0);
  const units = nodes.filter(({ subgraph }) => subgraph != null);
  return { nodes: nodes.length, bytes, edges, longestName, units };
}

function templateGraph(name: string, { stored, source }: PlannedTemplate): NestingGraph {
  if (source.workflow)
    return { ...graphOf([], stored), name, nodes: stored.nodes, longestName: source.longestName };
  return { ...graphOf(source.nodes, stored), name };
}

/** Names of the nodes of a template that conditions of loops are about. */
function resultNodesOf(
  template: string,
  nodes: readonly NodeSpec[],
  templates: readonly TemplateSpec[],
): readonly string[] {
  const all = [nodes, ...templates.map((one) => one.nodes ?? [])].flat();
  const named = all.flatMap(({ subgraph }) =>
    subgraph?.template === template ? (subgraph.resultNode ?? []) : [],
  );
  return [...new Set(named)];
}

/** Groups of nodes of templates, none of which exists yet. */
function innerGroups(
  planned: ReadonlyMap<string, PlannedTemplate>,
  labels: GivenNodes['labels'],
): readonly StoredNodeGroup[] {
  return [...planned.values()].flatMap(({ stored }) =>
    stored.groups.map(({ label }) => {
      const { maxSubmitted, failureLimit } = labels.get(label) ?? {};
      return {
        ...{ label, isFinal: false, counts: noNodes },
        ...(maxSubmitted == null ? {} : { maxSubmitted }),
        ...(failureLimit == null ? {} : { failureLimit }),
      };
    }),
  );
}
