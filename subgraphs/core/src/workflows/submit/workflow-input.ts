/** Checks the form of workflows: values of the nodes, and names. The graph is checked by `graph-input.ts`. */
import { setImmediate as turn } from 'node:timers/promises';
import { InputErrors, type InputPath } from '@rhizome/errors';
import { checkNotice } from '../../shared/notice.js';
import { checkJob, checkPayload, checkRequirements, checkRetry } from '../../jobs/submit/job-input.js';
import { payloadBytes } from '../../jobs/submit/live-quota.js';
import { defaultWalltimeSeconds } from '../../jobs/submit/normalise.js';
import type { RequirementChecks } from '../../jobs/submit/requirement-checks.js';
import type { JobSpec } from '../../jobs/submit/submit.types.js';
import type { JobValueErrorCode } from '../../jobs/submit/job-input-error.types.js';
import { loopCondition, neverMet } from '../model/loop-condition.js';
import { checkInputs, inputBytes, inputsOf, placeOfInput } from './node-files.js';
import type { WorkflowErrors } from './workflow-errors.js';
import type { NodeInputSpec, NodeLabelSpec, NodeSpec, WorkflowSpec } from './workflow-spec.types.js';

/** Most nodes of one call. */
export const maxNodesPerCall = 20_000;
/** Most nodes of a part that is appended. */
export const maxNodesPerPart = 5000;
/** Most nodes of a workflow. */
export const maxNodes = 100_000;
/** Most bytes of the payloads of one call. */
export const maxBytesPerCall = 16 * 1_048_576;
/** Most bytes of the payloads of a workflow, those of labels counted for each node that inherits them. */
export const maxStoredBytes = 256 * 1_048_576;
/** Most workflows in parts of an owner in an experiment that are not sealed. */
export const maxUnsealed = 100;
/** Most labels of nodes. */
export const maxNodeLabels = 500;
/** Most edges between labels. */
export const maxGroupEdges = 1000;
/** Most iterations of the sub-graph of a node. */
export const maxIterationsPerNode = 100;
/** Most errors that a call returns. */
export const maxErrors = 100;

/** Nodes that are checked in one turn of the event loop. */
export const nodesPerTurn = 500;
/** The jobs have the same names. Unpaired surrogates are stored as one and the same character. */
const nodeName = /^(?!\s)[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]{1,200}(?<!\s)$/u;
const labelName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
const labelForm = '1 to 100 letters, digits, `.`, `_`, `-`, beginning with a letter or digit';
/** Longest time for which a graph is arranged in one turn of the event loop, in milliseconds. */
export const sliceMs = 10;
const nodeNameForm = '1 to 200 characters without control characters, and no blanks at the ends';

/** Checks the form of the name of a node. */
export function checkNodeName(path: InputPath, name: string, errors: FormErrors): void {
  errors.form(path, name, nodeName, nodeNameForm);
}

/** Checks the form of a label. */
export function checkLabelName(path: InputPath, label: string, errors: FormErrors): void {
  errors.form(path, label, labelName, labelForm);
}

type FormErrors = Pick<InputErrors, 'form'>;

/** Checks the values of a workflow that are not about nodes. */
export function checkHead(spec: WorkflowSpec, errors: WorkflowErrors, checks: RequirementChecks): void {
  errors.verbatim(['idempotencyKey'], spec.idempotencyKey, 1, 200);
  errors.verbatim(['experiment'], spec.experiment, 1, 31);
  errors.text(['name'], spec.name, 1, 200);
  errors.int(['priority'], spec.priority, -1000, 1000);
  errors.labels(['labels'], spec.labels ?? [], 32);
  checkNodeLabels(spec.nodeLabels ?? [], errors, checks);
  const bytes = labelBytes(spec.nodeLabels ?? []);
  if (bytes > maxBytesPerCall)
    errors.add(
      ['nodeLabels'],
      `${bytes} bytes`,
      `at most ${maxBytesPerCall} bytes of payloads of labels`,
      'WORKFLOW_TOO_LARGE',
    );
  errors.list(['groupEdges'], spec.groupEdges ?? [], maxGroupEdges);
}

/** Bytes of the payloads of labels. */
export function labelBytes(labels: Iterable<NodeLabelSpec>): number {
  let bytes = 0;
  for (const { payload } of labels) bytes += payload ? payloadBytes(payload) : 0;
  return bytes;
}

function checkNodeLabels(
  labels: readonly NodeLabelSpec[],
  errors: WorkflowErrors,
  checks: RequirementChecks,
): void {
  errors.list(['nodeLabels'], labels, maxNodeLabels);
  errors.distinct(
    ['nodeLabels'],
    labels.map(({ label }) => label),
  );
  labels.slice(0, maxNodeLabels).forEach((given, position) => {
    const path = ['nodeLabels', position];
    checkLabelName([...path, 'label'], given.label, errors);
    errors.int([...path, 'priority'], given.priority, -1000, 1000);
    errors.int([...path, 'maxSubmitted'], given.maxSubmitted, 1, 1_000_000);
    errors.int([...path, 'failureLimit'], given.failureLimit, 1, 1_000_000);
    const own = new InputErrors<JobValueErrorCode>();
    if (given.requirements) checkRequirements(given.requirements, [...path, 'requirements'], own, checks);
    if (given.payload) checkPayload(given.payload, [...path, 'payload'], own, checks);
    if (given.payload) checkJobNotice({ ...given, payload: given.payload }, path, own);
    if (given.retry) checkRetry(given.retry, [...path, 'retry'], own);
    if (given.inputs) checkInputs(given.inputs, path, own);
    for (const { code, path: at, message } of own.all) errors.report(code, at, message);
  });
}

/** Nodes of a call. */
export interface GivenNodes {
  readonly nodes: readonly NodeSpec[];
  readonly labels: ReadonlyMap<string, NodeLabelSpec>;
  /** True if the labels are those of an earlier call. */
  readonly areLabelsStored?: boolean;
  /** Position of the first node of templates, which are behind the others; absent without templates. */
  readonly templatesFrom?: number;
  /** Numbers of nodes that the call may have. */
  readonly counts: { readonly min: number; readonly max: number };
}

/**
 * Checks the values of nodes. @returns the bytes of the payloads of all nodes, those that they inherit from
 * labels included
 */
export async function checkNodes(
  { nodes, labels, templatesFrom, counts: { min, max } }: GivenNodes,
  errors: WorkflowErrors,
  checks: RequirementChecks,
): Promise<number> {
  if (nodes.length < min || nodes.length > max) {
    const code = nodes.length > 0 ? 'WORKFLOW_TOO_LARGE' : 'INVALID_VALUE';
    errors.add(['nodes'], `${nodes.length} nodes`, `${min} to ${max} nodes in one call`, code);
    return 0;
  }
  let [bytes, stored] = [0, 0];
  for (const [position, node] of nodes.entries()) {
    if (position % nodesPerTurn === nodesPerTurn - 1) await turn();
    if (errors.all.length >= maxErrors) break;
    const own = new InputErrors<JobValueErrorCode>();
    const kind = {
      isTemplate: position >= (templatesFrom ?? Infinity),
      hasTemplates: templatesFrom !== undefined,
    };
    if (node.subgraph != null) checkUnit(node, position, own, kind);
    else checkNode(node, position, { labels, ...kind }, own, checks);
    for (const { code, path, message } of own.all) errors.report(code, path, `${nodeText(node)}: ${message}`);
    bytes += payloadBytes(node.payload ?? emptyPayload);
    stored += payloadBytes(jobOf(node, labels)?.payload ?? emptyPayload);
    bytes += inputBytes(node.inputs ?? []);
    stored += inputBytes(inputsOf(node, labels));
    if (bytes <= maxBytesPerCall && stored <= maxStoredBytes) continue;
    const expected =
      bytes > maxBytesPerCall
        ? `at most ${maxBytesPerCall} bytes of payloads in one call; give nodes with the same payload a label that has it`
        : `at most ${maxStoredBytes} bytes of payloads, those that nodes inherit from labels included`;
    errors.add(['nodes'], `${Math.max(bytes, stored)} bytes and more`, expected, 'WORKFLOW_TOO_LARGE');
    break;
  }
  return stored;
}

interface NodeKinds {
  /** True for nodes of templates. */
  readonly isTemplate: boolean;
  readonly hasTemplates: boolean;
}

/** Checks a node that stands for a sub-graph. */
function checkUnit(
  node: NodeSpec,
  position: number,
  errors: InputErrors<JobValueErrorCode>,
  { isTemplate, hasTemplates }: NodeKinds,
): void {
  const path = ['nodes', position];
  checkNodeName([...path, 'name'], node.name, errors);
  if (node.label != null) checkLabelName([...path, 'label'], node.label, errors);
  if (node.inputs) checkInputs(node.inputs, path, errors, isTemplate);
  if (!hasTemplates)
    errors.add(
      [...path, 'subgraph'],
      node.subgraph?.template,
      'absent: only a workflow that `submitWorkflow` takes whole has templates',
    );
  const { payload, requirements, retry, maxAddedNodes, priority } = node;
  for (const [field, value] of Object.entries({ payload, requirements, retry, maxAddedNodes, priority }))
    if (value != null) errors.add([...path, field], 'given', 'absent for a node with a sub-graph');
  if (node.isFinal === true) errors.add([...path, 'isFinal'], true, 'false for a node with a sub-graph');
  const { maxIterations, until, resultNode } = node.subgraph ?? {};
  const own = [...path, 'subgraph'];
  errors.int([...own, 'maxIterations'], maxIterations, 1, maxIterationsPerNode);
  if ((until != null || resultNode != null) && (maxIterations ?? 1) < 2)
    errors.add(
      [...own, 'maxIterations'],
      maxIterations ?? 1,
      `2 to ${maxIterationsPerNode} with a condition`,
    );
  if (until == null) return;
  const condition = loopCondition(until);
  const most = Math.min(maxIterations ?? 1, maxIterationsPerNode);
  const expected = 'expected' in condition ? condition.expected : neverMet(condition, until, most);
  if (expected !== undefined) errors.add([...own, 'until'], until, expected);
}

function checkNode(
  node: NodeSpec,
  position: number,
  { labels, isTemplate }: NodeKinds & { readonly labels: ReadonlyMap<string, NodeLabelSpec> },
  errors: InputErrors<JobValueErrorCode>,
  checks: RequirementChecks,
): void {
  const path = ['nodes', position];
  checkNodeName([...path, 'name'], node.name, errors);
  if (node.label != null) checkLabelName([...path, 'label'], node.label, errors);
  if (node.inputs) checkInputs(node.inputs, path, errors, isTemplate);
  const job = jobOf(node, labels);
  errors.int([...path, 'maxAddedNodes'], node.maxAddedNodes, 1, maxNodes);
  if (node.maxAddedNodes != null && node.isFinal === true)
    errors.add([...path, 'maxAddedNodes'], node.maxAddedNodes, 'absent, or the node not final');
  if (node.maxAddedNodes != null && job && job.payload.isTokenRequired !== true)
    errors.add([...path, 'maxAddedNodes'], node.maxAddedNodes, 'with `payload.isTokenRequired: true`');
  if (job) checkInputNames(job.payload, inputsOf(node, labels), path, errors);
  if (!job) {
    errors.add([...path, 'payload'], node.payload ?? null, 'given by the node or its label');
    return;
  }
  // The name is checked above, and values of the label once for all of its nodes.
  const { requirements, payload, retry } = node;
  const own = payload ? { ...payload, notice: undefined } : emptyPayload;
  checkJob({ ...job, name: 'node', requirements, payload: own, retry }, path, errors, checks);
  // The notice may be the label's, and the walltime the node's, or the other way round.
  if (payload || requirements) checkJobNotice(job, path, errors);
}

/** Both are files of the working folder. */
function checkInputNames(
  { inputs: own }: JobSpec['payload'],
  inputs: readonly NodeInputSpec[],
  path: InputPath,
  errors: InputErrors<JobValueErrorCode>,
): void {
  if (!own?.length || inputs.length === 0) return;
  errors.distinct([...path, 'inputs'], [...own.map(({ name }) => name), ...inputs.map(placeOfInput)]);
}

function checkJobNotice(
  { payload: { notice }, requirements }: Pick<JobSpec, 'payload' | 'requirements'>,
  path: readonly (string | number)[],
  errors: InputErrors<JobValueErrorCode>,
): void {
  const walltimeSeconds = requirements?.walltimeSeconds ?? defaultWalltimeSeconds;
  if (notice) checkNotice(notice, [...path, 'payload', 'notice'], errors, walltimeSeconds);
}

/** The job of a node, with the values that it inherits from its label; undefined without one. */
export function jobOf(node: NodeSpec, labels: ReadonlyMap<string, NodeLabelSpec>): JobSpec | undefined {
  if (node.subgraph != null) return undefined;
  const label = node.label == null ? undefined : labels.get(node.label);
  const payload = node.payload ?? label?.payload;
  if (!payload) return undefined;
  return {
    name: node.name,
    priority: node.priority ?? label?.priority,
    requirements: node.requirements ?? label?.requirements,
    retry: node.retry ?? label?.retry,
    payload,
  };
}

const emptyPayload = { command: 'none' } as const;

/** Name of a node for a message. */
export function nodeText({ name }: Pick<NodeSpec, 'name'>): string {
  return `Node ${JSON.stringify(name.slice(0, 200))}`;
}
