/** The quanta of a workflow with their states, derived from the jobs of its nodes. Pure. */
import type { NodeRun, NodeStateDocument, WorkflowEnd } from '@rhizome/experiment';
import type { QuantumReport } from '../reports/quantum-report.js';
import type { RubinQuantumState } from '../types.generated.js';
import type { Quantum, WorkflowDocument } from '../workflow.document.js';

/** The fixed part of a graph, by position, without texts. */
export interface CampaignGraph {
  /** In the order in which they occur. */
  readonly labels: readonly string[];
  /** Of quanta: position in `labels`. */
  readonly labelOf: readonly number[];
  /** Of quanta: position of the node. */
  readonly nodeOf: readonly number[];
  /** Of quanta: positions of the quanta that they need. */
  readonly needs: readonly (readonly number[])[];
  /** Of nodes: positions of the nodes that they need. */
  readonly nodeNeeds: readonly (readonly number[])[];
}

/** A workflow as it was read, with the states of its quanta. */
export interface Campaign {
  readonly workflow: CampaignWorkflow;
  readonly graph: CampaignGraph;
  /** By position of the node. */
  readonly runs: ReadonlyMap<number, NodeStateDocument>;
  /** Nodes that wait for a new job: what they need runs again, or has. */
  readonly reset: ReadonlySet<number>;
  /** Of nodes. */
  readonly states: readonly RubinQuantumState[];
  /** Of programs about the quanta of clusters, by position of the quantum. */
  readonly reports: ReadonlyMap<number, QuantumReport>;
  /** Time of the question. */
  readonly now: Date;
}

/** Fields of a workflow that its progress needs. */
export type CampaignWorkflow = Pick<
  WorkflowDocument,
  '_id' | 'memoryMiB' | 'labels' | 'totalQuanta' | 'workflowEnd'
>;

/** The graph of stored quanta, in order. */
export function graphOf(quanta: readonly Omit<Quantum, 'dataId'>[]): CampaignGraph {
  const positions = new Map(quanta.map(({ name }, index) => [name, index]));
  const labels = [...new Set(quanta.map(({ label }) => label))];
  const labelAt = new Map(labels.map((label, index) => [label, index]));
  const nodeOf = quanta.map(({ node }, index) => node ?? index);
  const needs = quanta.map(({ needs: names }) => names.flatMap((name) => positions.get(name) ?? []));
  const nodeNeeds: Set<number>[] = [];
  needs.forEach((needed, index) => {
    const node = nodeOf[index] ?? index;
    const own = (nodeNeeds[node] ??= new Set());
    for (const need of needed) {
      const other = nodeOf[need] ?? need;
      if (other !== node) own.add(other);
    }
  });
  return {
    labels,
    labelOf: quanta.map(({ label }) => labelAt.get(label) ?? 0),
    nodeOf,
    needs,
    nodeNeeds: nodeNeeds.map((own) => [...own]),
  };
}

/** States that keep what needs the node from running. */
const stopped: ReadonlySet<RubinQuantumState> = new Set(['FAILED', 'CANCELLED', 'BLOCKED']);

/** A campaign as it was read, with the states that follow. */
export function campaignOf(read: Omit<Campaign, 'reset' | 'states' | 'now'>): Omit<Campaign, 'now'> {
  const { graph, runs, workflow } = read;
  const reset = resetNodes(graph, runs);
  return { ...read, reset, states: statesOf(graph, runs, reset, workflow.workflowEnd) };
}

/**
 * Nodes whose jobs count no longer: core runs a node again after those that it needs, so one of these has a
 * later job, or waits for one. Each node is after those that it needs.
 */
function resetNodes(
  { nodeNeeds }: Pick<CampaignGraph, 'nodeNeeds'>,
  runs: ReadonlyMap<number, NodeStateDocument>,
): ReadonlySet<number> {
  const reset = new Set<number>();
  nodeNeeds.forEach((needs, node) => {
    const own = runs.get(node)?.run;
    if (!own) return;
    const isLate = (need: number): boolean => {
      const other = runs.get(need)?.run;
      return reset.has(need) || (other !== undefined && timePart(other) > timePart(own));
    };
    if (needs.some(isLate)) reset.add(node);
  });
  return reset;
}

/** Ids of jobs are ordered by time, which is what they begin with. */
function timePart({ jobId }: NodeRun): string {
  const from = jobId.indexOf('_') + 1;
  return jobId.slice(from, from + 10);
}

/** States of nodes, each after those that it needs. @param end of the workflow in core, if it has ended */
export function statesOf(
  { nodeNeeds }: Pick<CampaignGraph, 'nodeNeeds'>,
  runs: ReadonlyMap<number, NodeStateDocument>,
  reset: ReadonlySet<number> = new Set(),
  end?: WorkflowEnd,
): readonly RubinQuantumState[] {
  const states: RubinQuantumState[] = [];
  nodeNeeds.forEach((needs, node) => {
    const run = reset.has(node) ? undefined : runs.get(node)?.run;
    if (run) states.push(stateOf(run));
    else if (end !== undefined) states.push(endWithoutJob(needs, states, end));
    else if (needs.some((need) => stopped.has(states[need] ?? 'WAITING'))) states.push('BLOCKED');
    else if (needs.every((need) => states[need] === 'SUCCEEDED')) states.push('READY');
    else states.push('WAITING');
  });
  return states;
}

/** State of a node that had no job when the workflow ended. */
function endWithoutJob(
  needs: readonly number[],
  states: readonly RubinQuantumState[],
  end: WorkflowEnd,
): RubinQuantumState {
  const isAny = (state: RubinQuantumState) => needs.some((need) => states[need] === state);
  if (isAny('FAILED') || isAny('BLOCKED')) return 'BLOCKED';
  // In a workflow that was not cancelled, single nodes were ended by hand.
  if (end === 'SUCCEEDED') return 'SUCCEEDED';
  return end === 'FAILED' && isAny('CANCELLED') ? 'BLOCKED' : 'CANCELLED';
}

function stateOf({ state, isHeld }: NodeRun): RubinQuantumState {
  switch (state) {
    case 'FINISHED':
      return 'SUCCEEDED';
    case 'FAILED':
      return 'FAILED';
    case 'CANCELLED':
    case 'CLOSED':
      return 'CANCELLED';
    case 'STARTING':
    case 'RUNNING':
    case 'HOLDING':
    case 'TRANSFERRING':
      return 'RUNNING';
    default:
      return isHeld ? 'HELD' : 'READY';
  }
}

/** State of a quantum. One that its program reports as done keeps that when the job of its cluster fails. */
export function quantumState({ graph, states, reports }: Campaign, index: number): RubinQuantumState {
  const state = states[graph.nodeOf[index] ?? index] ?? 'WAITING';
  const hasEnded = state === 'FAILED' || state === 'CANCELLED';
  return hasEnded && reports.get(index)?.exitCode === 0 ? 'SUCCEEDED' : state;
}

/** Job of a quantum, and the one before. */
export function quantumRun(
  { graph, runs, reset }: Campaign,
  index: number,
): Partial<Pick<NodeStateDocument, 'run' | 'before'>> {
  const node = graph.nodeOf[index] ?? index;
  const known = runs.get(node);
  if (!known) return {};
  return reset.has(node) ? { before: known.run } : known;
}

/** Memory with which the jobs of a label start, in MiB. */
export function memoryOf({ workflow }: Campaign, label: string): number {
  const special = (workflow.labels ?? []).find((one) => one.label === label);
  return special?.resources.memoryMiB ?? workflow.memoryMiB;
}

/** Positions of quanta in given states and with given labels, in order. */
export function positionsIn(
  campaign: Campaign,
  filter: {
    readonly labels?: readonly string[] | null | undefined;
    readonly states?: readonly RubinQuantumState[] | null | undefined;
  },
): readonly number[] {
  const { graph } = campaign;
  const labels = filter.labels && new Set(filter.labels.map((label) => graph.labels.indexOf(label)));
  const states = filter.states && new Set(filter.states);
  return graph.labelOf.flatMap((label, index) =>
    (!labels || labels.has(label)) && (!states || states.has(quantumState(campaign, index))) ? [index] : [],
  );
}

/** Positions of the first failed or cancelled quanta because of which a quantum is blocked. */
export function blockersOf(campaign: Campaign, index: number, limit: number): readonly number[] {
  const { graph, states } = campaign;
  const from = graph.nodeOf[index] ?? index;
  const found: number[] = [];
  const seen = new Set<number>([from]);
  const way = [from];
  // A job blocks others as a whole, also those that need only what it has done.
  for (let at = way.pop(); at !== undefined && found.length < limit; at = way.pop()) {
    for (const need of graph.nodeNeeds[at] ?? []) {
      if (seen.has(need)) continue;
      seen.add(need);
      const state = states[need];
      if (state === 'FAILED' || state === 'CANCELLED') found.push(need);
      else if (state === 'BLOCKED') way.push(need);
    }
  }
  const quanta = quantaByNode(graph);
  return found
    .slice(0, limit)
    .map((node) => firstUndone(campaign, quanta[node] ?? []))
    .sort((a, b) => a - b);
}

/** Positions of the quanta of each node. */
export function quantaByNode({ nodeOf }: CampaignGraph): readonly (readonly number[])[] {
  const quanta: number[][] = [];
  nodeOf.forEach((node, index) => (quanta[node] ??= []).push(index));
  return quanta;
}

/** The first quantum of a node that has not succeeded; the first of all, if all are reported as done. */
export function firstUndone(campaign: Campaign, quanta: readonly number[]): number {
  return quanta.find((index) => quantumState(campaign, index) !== 'SUCCEEDED') ?? quanta[0] ?? 0;
}
