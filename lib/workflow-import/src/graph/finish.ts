/** Makes the workflow of the nodes that an import has collected. */
import type { ImportRequest } from '../import.types.js';
import type { Refusals } from '../refusals.js';
import type { Located } from '../text/located.js';
import type {
  Dependency,
  ImportedWorkflow,
  JobPart,
  NodeInput,
  NodeLabel,
  Subgraph,
  Template,
  WorkflowNode,
} from '../workflow.types.js';
import { cycleOf } from './cycle.js';
import { byLabel, type DraftLoop, type DraftNode, type NodesByLabel } from './draft.js';
import { arrangeEdges, dependenciesOf } from './group-edges.js';
import { Names } from './names.js';

/** Most nodes of a workflow. */
export const maxNodes = 100_000;
const maxEdges = 1_000_000;
const maxLabels = 1000;
const maxNodeLabels = 500;
const maxArguments = 1000;
const maxArgumentBytes = 131_072;

/** Values that no format has. */
export interface Head {
  readonly experiment: string;
  readonly name: string;
  readonly share?: string;
}

/** Name of a file without folder and ending. */
export function stemOf(file: string): string {
  return file.replace(/^.*\//, '').replace(/\.[^.]+$/, '') || 'workflow';
}

/**
 * The values that a request gives.
 * @param ownName name of the workflow in its file
 */
export function headOf({ experiment, name, share, file }: ImportRequest, ownName?: string): Head {
  return { experiment, name: name ?? ownName ?? stemOf(file), ...(share === undefined ? {} : { share }) };
}

/** The workflow; undefined if there are refusals. Labels of the drafts are made valid in place. */
export function finishWorkflow(
  drafts: readonly DraftNode[],
  head: Head,
  refusals: Refusals,
  whole: Located,
): ImportedWorkflow | undefined {
  if (drafts.length === 0 && refusals.isEmpty) refusals.refuse(whole, 'has no job', 'give at least one');
  if (drafts.length > maxNodes)
    refusals.refuse(whole, `${drafts.length} jobs`, `a workflow has at most ${maxNodes}`);
  for (const draft of drafts) checkArguments(draft, refusals);
  if (!refusals.isEmpty) return undefined;
  const loops = loopsIn(drafts);
  const all = [...drafts, ...loops.flatMap(({ nodes }) => nodes)];
  if (all.length > maxNodes)
    refusals.refuse(whole, `${all.length} jobs with those of loops`, `a workflow has at most ${maxNodes}`);
  for (const { nodes } of loops) for (const draft of nodes) checkArguments(draft, refusals);
  if (!refusals.isEmpty) return undefined;
  withLabels(all);
  const cycle = cycleOf(all);
  if (cycle) {
    const names = cycle.slice(0, 10).map(({ name }) => name);
    const more = cycle.length > names.length ? `${names.join(' → ')} → …` : [...names, names[0]].join(' → ');
    refusals.refuse(cycle[0]?.at ?? whole, `is on a cycle: ${more}`, 'the graph must have none');
    return undefined;
  }
  const templates = templatesOf(loops);
  const workflow = arranged(drafts, { head, templates }, refusals, whole);
  if (!workflow || loops.length === 0) return workflow;
  return { ...workflow, templates: [...templates.values()].map(({ template }) => template) };
}

/** Loops that nodes stand for, also those in loops. */
function loopsIn(drafts: readonly DraftNode[]): readonly DraftLoop[] {
  return drafts.flatMap(({ loop }) => (loop ? [loop, ...loopsIn(loop.nodes)] : []));
}

/** Template of a loop, and the names of its nodes in it. */
interface LoopTemplate {
  readonly template: Template;
  readonly nameOf: ReadonlyMap<DraftNode, string>;
}

type Templates = ReadonlyMap<DraftLoop, LoopTemplate>;

/** Templates of loops. Their labels have no defaults: a node has all values that its job has. */
function templatesOf(loops: readonly DraftLoop[]): Templates {
  const names = Names.ofLabels();
  const templates = new Map<DraftLoop, LoopTemplate>();
  // The loops in others come last, and are named by the nodes of these.
  for (const loop of [...loops].reverse()) {
    const own = Names.ofNodes();
    const nameOf = new Map(loop.nodes.map((draft) => [draft, own.give(draft.name.replaceAll('/', '_'))]));
    const { ofNode } = arrangeEdges(new Map());
    const nodes = loop.nodes.map((draft) => {
      const dependsOn = dependenciesOf(ofNode(draft), (node) => nameOf.get(node) ?? node.name);
      return nodeOf(draft, nameOf.get(draft) ?? draft.name, { dependsOn, label: undefined, templates });
    });
    templates.set(loop, { template: { name: names.give(loop.name), nodes }, nameOf });
  }
  return templates;
}

function subgraphOf(loop: DraftLoop, templates: Templates): Subgraph {
  const { maxIterations, until, result } = loop;
  const { template, nameOf } = templates.get(loop) ?? {};
  return {
    ...{ template: template?.name ?? loop.name, maxIterations, until },
    resultNode: nameOf?.get(result) ?? result.name,
  };
}

function checkArguments({ at, job: { payload } }: DraftNode, refusals: Refusals): void {
  const { length } = payload.arguments ?? [];
  if (length > maxArguments) refusals.refuse(at, `${length} arguments`, `a job has at most ${maxArguments}`);
  const bytes = (payload.arguments ?? []).reduce((sum, one) => sum + Buffer.byteLength(one), 0);
  if (bytes > maxArgumentBytes)
    refusals.refuse(at, `${bytes} bytes of arguments`, `a job has at most ${maxArgumentBytes}`);
}

/** Makes the labels of nodes valid. */
function withLabels(drafts: readonly DraftNode[]): void {
  const names = Names.ofLabels();
  const valid = new Map<string, string>();
  for (const { label } of drafts) if (!valid.has(label)) valid.set(label, names.give(label));
  // Nodes are known by identity, by the edges that lead from them: they are changed, not copied.
  for (const draft of drafts) draft.label = valid.get(draft.label) ?? draft.label;
}

function arranged(
  drafts: readonly DraftNode[],
  { head, templates }: { readonly head: Head; readonly templates: Templates },
  refusals: Refusals,
  whole: Located,
): ImportedWorkflow | undefined {
  const names = Names.ofNodes();
  const nameOf = new Map(drafts.map((draft) => [draft, names.give(draft.name)]));
  const members = byLabel(drafts);
  const labels = labelsOf(members);
  if (labels.size > maxLabels)
    refusals.refuse(whole, `${labels.size} labels`, `a workflow has at most ${maxLabels}`);
  const { groupEdges, ofNode } = arrangeEdges(members);
  const nodes: WorkflowNode[] = [];
  for (let [at, count] = [0, 0]; at < drafts.length && count <= maxEdges; at += 1) {
    const draft = drafts[at] as DraftNode;
    const dependsOn = dependenciesOf(ofNode(draft), (node) => nameOf.get(node) ?? node.name);
    count += dependsOn.length;
    if (count > maxEdges)
      refusals.refuse(whole, `more than ${maxEdges} dependencies`, `a workflow has at most ${maxEdges}`);
    const inputs = inputsOf(draft, (node) => nameOf.get(node) ?? node.name);
    nodes.push({
      ...nodeOf(draft, nameOf.get(draft) ?? draft.name, {
        ...{ dependsOn, label: labels.get(draft.label), templates },
      }),
      ...(inputs.length > 0 ? { inputs } : {}),
    });
  }
  if (!refusals.isEmpty) return undefined;
  const nodeLabels = [...labels]
    .filter(([, part]) => Object.keys(part).length > 0)
    .map(([label, part]): NodeLabel => ({ label, ...part }));
  return {
    ...head,
    ...(nodeLabels.length > 0 ? { nodeLabels } : {}),
    nodes,
    ...(groupEdges.length > 0 ? { groupEdges } : {}),
  };
}

function inputsOf({ reads = [] }: DraftNode, nameOf: (node: DraftNode) => string): readonly NodeInput[] {
  return reads.map(({ from, output, as }) => ({
    ...{ node: nameOf(from), output },
    ...(as === output ? {} : { as }),
  }));
}

function nodeOf(
  draft: DraftNode,
  name: string,
  {
    dependsOn,
    label,
    templates,
  }: {
    readonly dependsOn: readonly Dependency[];
    readonly label: JobPart | undefined;
    readonly templates: Templates;
  },
): WorkflowNode {
  return {
    ...{ name, label: draft.label },
    ...(draft.isFinal === true ? { isFinal: true } : {}),
    ...(dependsOn.length > 0 ? { dependsOn } : {}),
    ...(draft.needed === undefined ? {} : { needed: draft.needed }),
    ...(draft.loop ? { subgraph: subgraphOf(draft.loop, templates) } : ownPart(draft.job, label ?? {})),
  };
}

const parts = ['priority', 'requirements', 'payload', 'retry'] as const;

/** Parts that all nodes with a label have in common, by label. */
function labelsOf(members: NodesByLabel): ReadonlyMap<string, JobPart> {
  let given = 0;
  return new Map(
    [...members].map(([label, own]) => {
      const common = commonPart(own.map(({ job }) => job));
      given += Object.keys(common).length > 0 ? 1 : 0;
      return [label, given <= maxNodeLabels ? common : {}];
    }),
  );
}

/** Parts that jobs have in common; the program only if there are several jobs. */
function commonPart(jobs: readonly JobPart[]): JobPart {
  const [first = {}] = jobs;
  const same = parts.filter((part) => {
    const text = JSON.stringify(first[part]);
    if (text === undefined || (part === 'payload' && jobs.length === 1)) return false;
    return jobs.every((job) => JSON.stringify(job[part]) === text);
  });
  return Object.fromEntries(same.map((part) => [part, first[part]])) as JobPart;
}

/** Parts that a node has and its label has not. */
function ownPart(job: JobPart, label: JobPart): JobPart {
  const own = parts.filter((part) => job[part] !== undefined && label[part] === undefined);
  return Object.fromEntries(own.map((part) => [part, job[part]])) as JobPart;
}
