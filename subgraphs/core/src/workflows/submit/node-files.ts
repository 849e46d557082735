/** Outputs of nodes that jobs of other nodes read: their form, the edges that they imply, their sources. */
import type { InputErrors, InputPath } from '@rhizome/errors';
import type { JobValueErrorCode } from '../../jobs/submit/job-input-error.types.js';
import type { StoredPayload } from '../../jobs/model/job.types.js';
import { countsOf, leadsTo, nodesIn, type NodePlace } from '../model/node-rules.js';
import type { StoredTemplateInput } from '../model/scopes.js';
import type { StoredGroupEdge, StoredNodeGroup } from '../model/workflow.types.js';
import type { GraphErrors } from './workflow-errors.js';
import type { NodeInputSpec, NodeLabelSpec, NodeSpec } from './workflow-spec.types.js';

/** Most entries in the inputs of a node. */
const maxInputs = 1000;
/** Most files that the job of a node reads from other nodes. */
export const maxNodeFiles = 10_000;
/** Most errors that a call returns. */
const maxErrors = 100;
const labelName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

/** Output of a node that must be declared. */
export interface NeededFile {
  /** Name of the first node that reads it. */
  readonly reader: string;
  readonly node: string;
  readonly output: string;
}

/** Labels whose nodes a node reads. */
export interface NeededLabels extends NodePlace {
  /** Name of the first node that reads them. */
  readonly reader: string;
  readonly from: readonly { readonly label: string; readonly output: string }[];
  /** Number of the other files that the node reads. */
  readonly others: number;
}

/** Outputs that nodes read, each once. */
export interface FileNeeds {
  readonly files: readonly NeededFile[];
  readonly labels: readonly NeededLabels[];
}

/** Looks up the declared outputs of nodes. */
export interface FileSources {
  /** Declared outputs of nodes by name. */
  readonly outputsOf: (nodes: readonly string[]) => Promise<ReadonlyMap<string, readonly string[]>>;
  /** True if a node with this label declares the output. */
  readonly hasOutput: (label: string, output: string) => Promise<boolean>;
}

/** Inputs of a node, which come from its label if it gives none. */
export function inputsOf(
  { inputs, label }: NodeSpec,
  labels: ReadonlyMap<string, Pick<NodeLabelSpec, 'inputs'>>,
): readonly NodeInputSpec[] {
  return inputs ?? (label == null ? undefined : labels.get(label)?.inputs) ?? [];
}

/** Checks the form of the inputs of a node or a label. */
export function checkInputs(
  inputs: readonly NodeInputSpec[],
  path: InputPath,
  errors: InputErrors<JobValueErrorCode>,
  isTemplate = false,
): void {
  const at = [...path, 'inputs'];
  errors.list(at, inputs, maxInputs);
  inputs.slice(0, maxInputs).forEach(({ node, label, input, isPrevious, output, as }, position) => {
    const own = [...at, position];
    if (!isTemplate && input != null) errors.add([...own, 'input'], input, 'absent outside of templates');
    else if (!isTemplate && isPrevious != null)
      errors.add([...own, 'isPrevious'], isPrevious, 'absent outside of templates');
    else if ([node, label, input].filter((source) => source != null).length !== 1)
      errors.add(own, { node, label }, 'either with `node` or with `label`');
    if (isPrevious === true && node == null)
      errors.add([...own, 'isPrevious'], isPrevious, 'absent, or with `node`');
    if (label != null) errors.form([...own, 'label'], label, labelName, 'the label of nodes');
    errors.fileName([...own, 'output'], output);
    if (as != null) errors.fileName([...own, 'as'], as);
  });
  errors.distinct(at, inputs.map(placeOfInput));
}

/** Name of the file of a node, or of the folder with the files of a label. */
export function placeOfInput({ label, input, output, as }: NodeInputSpec): string {
  return as ?? label ?? input ?? output;
}

/** Bytes of inputs as they are stored, about. */
export function inputBytes(inputs: readonly NodeInputSpec[]): number {
  return inputs.reduce(
    (sum, { node, label, input, output, as }) =>
      sum + 40 + (node ?? label ?? input ?? '').length + output.length + (as?.length ?? 0),
    0,
  );
}

/** Inputs of a node as its payload has them. */
export function storedInputs(
  workflowId: string,
  inputs: readonly NodeInputSpec[],
): Pick<StoredPayload, 'nodeInputs'> {
  if (inputs.length === 0) return {};
  return { nodeInputs: { workflowId, files: storedFiles(inputs) } };
}

/** Inputs as nodes of templates, and those with sub-graphs, have them. */
export function storedFiles(inputs: readonly NodeInputSpec[]): readonly StoredTemplateInput[] {
  return inputs.map((file) => {
    const { node, label, input, output, isOptional, isPrevious } = file;
    return {
      ...(node == null ? {} : { node }),
      ...(label == null ? {} : { label }),
      ...(input == null ? {} : { input }),
      output,
      as: placeOfInput(file),
      ...(isOptional === true ? { isOptional } : {}),
      ...(isPrevious === true ? { isPrevious } : {}),
    };
  });
}

/** Nodes with the edges that their inputs imply: a node that reads from another depends on its success. */
export function withFileEdges(
  nodes: readonly NodeSpec[],
  labels: ReadonlyMap<string, Pick<NodeLabelSpec, 'inputs'>>,
): readonly NodeSpec[] {
  return nodes.map((node) => {
    const sources = new Set(
      inputsOf(node, labels).flatMap(({ node: source, isPrevious }) => (isPrevious ? [] : (source ?? []))),
    );
    if (sources.size === 0) return node;
    for (const { node: parent } of node.dependsOn ?? []) sources.delete(parent);
    if (sources.size === 0) return node;
    return {
      ...node,
      dependsOn: [...(node.dependsOn ?? []), ...[...sources].map((source) => ({ node: source }))],
    };
  });
}

/** Outputs that nodes read, each once. */
export function fileNeeds(
  nodes: readonly NodeSpec[],
  labels: ReadonlyMap<string, Pick<NodeLabelSpec, 'inputs'>>,
): FileNeeds {
  const files = new Map<string, NeededFile>();
  const needed = new Map<string, NeededLabels>();
  for (const node of nodes) {
    const inputs = inputsOf(node, labels);
    const from = inputs.flatMap(({ label, output }) => (label == null ? [] : [{ label, output }]));
    for (const { node: source, output } of inputs) {
      const key = `${source ?? ''}\n${output}`;
      if (source != null && !files.has(key)) files.set(key, { reader: node.name, node: source, output });
    }
    if (from.length === 0) continue;
    const place = { label: node.label ?? '', isFinal: node.isFinal === true };
    const others = inputs.length - from.length;
    const key = JSON.stringify([place.isFinal ? null : place.label, from, others]);
    if (!needed.has(key)) needed.set(key, { reader: node.name, ...place, from, others });
  }
  return { files: [...files.values()], labels: [...needed.values()] };
}

/** Checks that what nodes read is declared by nodes that come before them. */
export async function checkFileNeeds(
  { files, labels }: FileNeeds,
  { groups, groupEdges }: Pick<GraphFacts, 'groups' | 'groupEdges'>,
  sources: FileSources,
  errors: GraphErrors,
): Promise<void> {
  const declared = await sources.outputsOf([...new Set(files.map(({ node }) => node))]);
  for (const { reader, node, output } of files) {
    if (errors.all.length >= maxErrors) return;
    const outputs = declared.get(node);
    // An unknown node is an error of the edge that the input implies.
    if (outputs && !outputs.includes(output))
      errors.report('FILE_NOT_DECLARED', ['nodes'], notDeclared(reader, `node ${shown(node)}`, output));
  }
  for (const { reader, from, others, ...place } of labels) {
    if (errors.all.length >= maxErrors) return;
    let count = others;
    for (const { label, output } of from) {
      const group = groups.filter((one) => one.label === label && !one.isFinal);
      const all = nodesIn(countsOf(group));
      count += all;
      const isBefore =
        place.isFinal || groupEdges.some((edge) => edge.from === label && leadsTo(edge, place));
      if (all === 0)
        errors.report(
          'LABEL_NOT_FOUND',
          ['nodes'],
          `Node ${shown(reader)} reads from label ${shown(label)}, which no node has that is not final`,
        );
      else if (!isBefore)
        errors.report(
          'NODE_UNREACHABLE',
          ['nodes'],
          `Node ${shown(reader)} reads from label ${shown(label)}, which does not come before it; must be in \`groupEdges\`, from ${shown(label)} to ${shown(place.label)}`,
        );
      else if (!(await sources.hasOutput(label, output)))
        errors.report('FILE_NOT_DECLARED', ['nodes'], notDeclared(reader, `label ${shown(label)}`, output));
    }
    if (count > maxNodeFiles)
      errors.report(
        'WORKFLOW_TOO_LARGE',
        ['nodes'],
        `Node ${shown(reader)} reads ${count} files of other nodes; must be at most ${maxNodeFiles}: collect them in steps`,
      );
  }
}

/** Parts of an arranged graph that the check needs. */
interface GraphFacts {
  readonly groups: readonly StoredNodeGroup[];
  readonly groupEdges: readonly StoredGroupEdge[];
}

function notDeclared(reader: string, source: string, output: string): string {
  return `Node ${shown(reader)} reads output ${shown(output)} of ${source}, which does not declare it in \`payload.outputs\``;
}

function shown(name: string): string {
  return JSON.stringify(name.slice(0, 200));
}
