/** Checks templates and the nodes that stand for them, and arranges their graphs. */
import { InputErrors } from '@rhizome/errors';
import { payloadBytes } from '../../jobs/submit/live-quota.js';
import type { TimeSlices } from '../../shared/time-slices.js';
import { countsOf, nodesIn } from '../model/node-rules.js';
import { maxTemplates } from '../model/workflow.document.js';
import type { StoredTemplate } from '../model/scopes.js';
import { sourcesIn } from '../submit/file-sources.js';
import { planWorkflow } from '../submit/graph-input.js';
import {
  checkFileNeeds,
  fileNeeds,
  inputBytes,
  inputsOf,
  placeOfInput,
  withFileEdges,
} from '../submit/node-files.js';
import type { WorkflowErrorCode } from '../submit/workflow-errors.js';
import { checkLabelName, jobOf, maxErrors, nodeText } from '../submit/workflow-input.js';
import type { GroupEdgeSpec, NodeLabelSpec, NodeSpec, TemplateSpec } from '../submit/workflow-spec.types.js';
import type { PlannedTemplate } from './planned-template.js';

/** Most nodes of a template. */
export const maxTemplateNodes = 5000;
/** Most labels of the nodes of a template. */
export const maxTemplateLabels = 20;
/** Most edges between the nodes of a template. */
export const maxTemplateEdges = 100_000;
const maxOutputs = 100;
const noLabels = new Map();

/** Parts of a workflow that its templates are checked with. */
export interface TemplateContext {
  readonly labels: ReadonlyMap<string, NodeLabelSpec>;
  readonly groupEdges: readonly GroupEdgeSpec[];
  readonly templates: readonly TemplateSpec[];
}

/** Collects errors of templates. */
export type TemplateErrors = Pick<
  InputErrors<WorkflowErrorCode | 'TEMPLATE_NOT_FOUND'>,
  'report' | 'add' | 'list' | 'distinct' | 'fileName' | 'form' | 'isEmpty'
> & { readonly all: readonly unknown[] };

/** Checks the form of templates, apart from their nodes. */
export function checkTemplates(templates: readonly TemplateSpec[], errors: TemplateErrors): void {
  errors.list(['templates'], templates, maxTemplates);
  errors.distinct(
    ['templates'],
    templates.map(({ name }) => name),
  );
  templates.slice(0, maxTemplates).forEach(({ name, nodes, workflowId, outputs }, at) => {
    const path = ['templates', at];
    checkLabelName([...path, 'name'], name, errors);
    if ((nodes == null) === (workflowId == null))
      errors.add(path, { nodes: nodes?.length, workflowId }, 'either with `nodes` or with `workflowId`');
    if (nodes) errors.list([...path, 'nodes'], nodes, maxTemplateNodes, 1);
    errors.list([...path, 'outputs'], outputs ?? [], maxOutputs);
    errors.distinct(
      [...path, 'outputs'],
      (outputs ?? []).map(({ output }) => output),
    );
    outputs
      ?.slice(0, maxOutputs)
      .forEach(({ output }, one) => errors.fileName([...path, 'outputs', one, 'output'], output));
  });
}

/** Arranges the nodes of a template, in slices of time; undefined if there are errors. */
export async function planTemplate(
  { name, nodes: given, outputs }: TemplateSpec & { readonly nodes: readonly NodeSpec[] },
  position: number,
  context: TemplateContext,
  slices: TimeSlices,
  errors: TemplateErrors,
): Promise<PlannedTemplate | undefined> {
  const { labels, templates } = context;
  const own = new InputErrors<WorkflowErrorCode>();
  const nodes = withFileEdges(given, labels);
  checkTemplateNodes(nodes, context, own);
  const plan = await planWorkflow(nodes, { labels: noLabels, groupEdges: [] }, own, slices);
  const sources = sourcesIn(nodes, labels, templates);
  if (plan) await checkFileNeeds(fileNeeds(nodes, labels), plan, sources, own);
  const declared = await sources.outputsOf((outputs ?? []).map(({ node }) => node));
  for (const { node, output } of outputs ?? []) {
    const text = `outputs: node ${JSON.stringify(node.slice(0, 200))} `;
    if (!declared.has(node))
      own.report('NODE_NOT_FOUND', ['outputs'], `${text}is not a node of the template`);
    else if (!declared.get(node)?.includes(output))
      own.report('FILE_NOT_DECLARED', ['outputs'], `${text}does not declare ${JSON.stringify(output)}`);
  }
  if (plan && plan.edges.targets.length > maxTemplateEdges)
    own.add(
      ['nodes'],
      `${plan.edges.targets.length} edges`,
      `at most ${maxTemplateEdges} edges in a template`,
    );
  for (const { code, path, message } of own.all.slice(0, maxErrors))
    errors.report(
      code,
      ['templates', String(position), ...path],
      `Template ${JSON.stringify(name)}: ${message}`,
    );
  if (!plan || !own.isEmpty) return undefined;
  const groups = plan.groups.map(({ label, counts }) => ({ label, nodes: nodesIn(countsOf([{ counts }])) }));
  const stored: StoredTemplate = {
    ...{ name, nodes: nodes.length, bytes: bytesOfNodes(nodes, labels), edges: plan.edges.targets.length },
    ...{
      layers: plan.layers,
      groups,
      outputs: (outputs ?? []).map(({ node, output }) => ({ node, output })),
    },
  };
  const positions = new Map(nodes.map((node, at) => [node.name, at]));
  return { position, stored, positions, source: { nodes, planned: plan.nodes, edges: plan.edges } };
}

function checkTemplateNodes(
  nodes: readonly NodeSpec[],
  { labels, groupEdges }: TemplateContext,
  errors: InputErrors<WorkflowErrorCode>,
): void {
  const joined = new Set(groupEdges.flatMap(({ from, to }) => [from, to]));
  const used = new Set(nodes.flatMap(({ label }) => label ?? []));
  if (used.size > maxTemplateLabels)
    errors.add(['nodes'], `${used.size} labels`, `at most ${maxTemplateLabels} labels in a template`);
  const names = new Set(nodes.map(({ name }) => name));
  for (const [at, node] of nodes.entries()) {
    if (errors.all.length >= maxErrors) return;
    const refuse = (field: string, problem: string): void =>
      errors.report('INVALID_VALUE', ['nodes', String(at), field], `${nodeText(node)} ${problem}`);
    if (node.name.includes('/')) refuse('name', 'has a name with "/"; must be without');
    if (node.isFinal === true) refuse('isFinal', 'is final; must be a node that is not');
    if (node.maxAddedNodes != null) refuse('maxAddedNodes', 'adds nodes; nodes of templates cannot');
    if (node.label != null && joined.has(node.label))
      refuse('label', `has the label "${node.label}" of an edge in \`groupEdges\`; must be another label`);
    for (const { label, isPrevious, node: source } of inputsOf(node, labels)) {
      if (label != null)
        refuse('inputs', 'reads from a label; must be from a node, or an input of the sub-graph');
      if (isPrevious === true && source != null && !names.has(source))
        refuse('inputs', `reads from ${JSON.stringify(source)}, which is not a node of the template`);
    }
  }
}

/** Bytes of the payloads of nodes as they are stored. */
export function bytesOfNodes(nodes: readonly NodeSpec[], labels: ReadonlyMap<string, NodeLabelSpec>): number {
  return nodes.reduce((sum, node) => {
    const job = jobOf(node, labels);
    return sum + (job ? payloadBytes(job.payload) : 0) + inputBytes(inputsOf(node, labels));
  }, 0);
}

/** Checks the nodes of a graph that stand for sub-graphs. @param path of the nodes in the input */
export function checkUnits(
  nodes: readonly NodeSpec[],
  planned: ReadonlyMap<string, PlannedTemplate>,
  {
    labels,
    path,
  }: { readonly labels: TemplateContext['labels']; readonly path: readonly (string | number)[] },
  errors: TemplateErrors,
): void {
  const units = new Set(nodes.flatMap(({ name, subgraph }) => (subgraph == null ? [] : [name])));
  for (const [at, node] of nodes.entries()) {
    if (errors.all.length >= maxErrors) return;
    const within = prefixesOf(node.name).find((prefix) => units.has(prefix));
    if (within !== undefined) {
      const text = `${nodeText(node)} has a name that begins with that of ${JSON.stringify(within)} and "/", as the nodes of its sub-graph; must be another name`;
      errors.report('NODE_NAME_TAKEN', [...path, at, 'name'], text);
    }
    if (node.subgraph != null) checkUnit(node, planned, { labels, path: [...path, at] }, errors);
  }
}

function checkUnit(
  node: NodeSpec,
  planned: ReadonlyMap<string, PlannedTemplate>,
  {
    labels,
    path,
  }: { readonly labels: TemplateContext['labels']; readonly path: readonly (string | number)[] },
  errors: TemplateErrors,
): void {
  const { template: name = '', until, resultNode } = node.subgraph ?? {};
  const own = [...path, 'subgraph'];
  const template = planned.get(name);
  if (!template) {
    const text = `${nodeText(node)} names template ${JSON.stringify(name.slice(0, 100))}, which is not in \`templates\``;
    errors.report('TEMPLATE_NOT_FOUND', [...own, 'template'], text);
    return;
  }
  const { source, positions, stored } = template;
  if (resultNode != null && !positions.has(resultNode))
    errors.add([...own, 'resultNode'], resultNode, `a node of template ${name}`);
  if (until != null && resultNode == null && stored.nodes > 1)
    errors.add([...own, 'resultNode'], null, `a node of template ${name}, which has ${stored.nodes}`);
  if (source.workflow) return;
  const given = new Set(inputsOf(node, labels).map(placeOfInput));
  for (const inner of source.nodes)
    for (const { input, isOptional } of inputsOf(inner, labels)) {
      if (input == null || isOptional === true || given.has(input)) continue;
      const text = `${nodeText(node)} has no input ${JSON.stringify(input)}, which ${nodeText(inner)} of template ${name} reads`;
      errors.report('FILE_NOT_DECLARED', [...path, 'inputs'], text);
      return;
    }
}

function prefixesOf(name: string): readonly string[] {
  const prefixes: string[] = [];
  for (let at = name.indexOf('/'); at >= 0; at = name.indexOf('/', at + 1)) prefixes.push(name.slice(0, at));
  return prefixes;
}
