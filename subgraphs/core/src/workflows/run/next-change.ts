/** Decides about the next step of an active workflow, from what its nodes say. */
import type { SubmissionConsents } from '../../jobs/ports.js';
import type { JobsRepository } from '../../jobs/model/jobs.repository.js';
import { blockStart, segmentsOf, type StoredAddition, withoutPending } from '../model/additions.js';
import type { EdgeBlock } from '../model/edges.js';
import { nodeIdOf } from '../model/node.document.js';
import { ScopePlaces } from '../model/scopes.js';
import { countsOf, endedIn, endStateOf, groupOutcome, nodesIn, sourcesOf } from '../model/node-rules.js';
import type { WorkflowDocument } from '../model/workflow.document.js';
import {
  activeStates,
  type EndedNodeState,
  type NodeEnd,
  type StoredNodeState,
  type WorkflowState,
} from '../model/workflow.types.js';
import type { AddedNodesRepository } from '../store/added-nodes.repository.js';
import type { EdgesRepository } from '../store/edges.repository.js';
import type { EndingNode, NodesRepository } from '../store/nodes.repository.js';
import type { WorkflowPatch } from '../store/workflows.repository.js';
import type { WorkflowChange } from './journal.js';
import { grownBy, nextIteration } from './growth.js';
import { movedCounts } from './moves.js';
import { ScopeChanges } from './scope-changes.js';
import { nodeJobIds } from './node-jobs.js';

/** Dependencies of {@link NextChange}. */
export interface NextChangeOptions {
  readonly nodes: NodesRepository;
  readonly edges: EdgesRepository;
  readonly added: Pick<AddedNodesRepository, 'count'>;
  readonly jobs: Pick<JobsRepository, 'find'>;
  readonly consents: Pick<SubmissionConsents, 'allows'>;
  readonly now: () => Date;
}

/** Most nodes that one step ends or submits. */
const maxNodes = 1000;
/** Most edges that the nodes which one step ends have together, unless a single node has more. */
const maxEdges = 100_000;
const actor = 'system:workflows';
const lost = 'Nodes that it has added are no longer stored';

/** Most sub-graphs that begin in one step. */
const maxUnits = 100;

/** True if the nodes of the workflow may change. */
export function isActive({ state }: { readonly state: WorkflowState }): boolean {
  return (activeStates as readonly WorkflowState[]).includes(state);
}

/** Finds next steps. */
export class NextChange {
  readonly #options: NextChangeOptions;
  readonly #scopes: ScopeChanges;

  constructor(options: NextChangeOptions) {
    this.#options = options;
    this.#scopes = new ScopeChanges(options);
  }

  /** The next step of a workflow whose steps are all applied; undefined if it waits for jobs or people. */
  async of(workflow: WorkflowDocument): Promise<WorkflowChange | undefined> {
    const { claimedUntil } = workflow;
    if (!isActive(workflow) || (claimedUntil && claimedUntil > this.#options.now())) return undefined;
    return (
      (await this.#ends(workflow)) ??
      (await this.#scope(workflow)) ??
      this.#groupEdge(workflow) ??
      this.#end(workflow) ??
      (await this.#release(workflow))
    );
  }

  async #ends(workflow: WorkflowDocument): Promise<WorkflowChange | undefined> {
    const { additions } = workflow;
    const found = await this.#withFewEdges(workflow, await this.#ending(workflow));
    if (found.length === 0) return undefined;
    const growth = additions && (await this.#growth(workflow, found));
    if (growth) return growth;
    return this.#endsOf(
      workflow,
      found,
      found.map((node) => endOf(node, workflow)),
    );
  }

  /** The next change of sub-graphs. */
  async #scope(workflow: WorkflowDocument): Promise<WorkflowChange | undefined> {
    const found = await this.#scopes.of(workflow, maxNodes);
    if (!found || 'change' in found) return found?.change;
    const some = await this.#withFewEdges(workflow, found.found);
    return this.#endsOf(workflow, some, found.ends.slice(0, some.length));
  }

  #endsOf(
    workflow: WorkflowDocument,
    found: readonly EndingNode[],
    ends: readonly NodeEnd[],
  ): WorkflowChange {
    const moves = found.map((node, at) => ({ ...node, to: ends[at]?.state as EndedNodeState }));
    const { groups: after, additions } = movedCounts(workflow, moves);
    const ended = new Set(found.map(({ index }) => index));
    const kept = additions ? { additions: withoutPending(additions, ended) } : {};
    const patch = { groups: after, ...kept, ...this.#failurePause(workflow, after) };
    return { step: { kind: 'ENDS', ends }, patch };
  }

  /** Nodes that one of these has added, before it ends: the attempt that added them has succeeded. */
  async #growth(
    workflow: WorkflowDocument,
    found: readonly EndingNode[],
  ): Promise<WorkflowChange | undefined> {
    const succeeded = new Set(
      found.flatMap(({ index, state, outcome }) =>
        state === 'ENDING' && outcome === 'SUCCEEDED' ? [index] : [],
      ),
    );
    for (const [at, addition] of (workflow.additions ?? []).entries()) {
      const call = addition.calls.findIndex(({ first }) => first === undefined);
      if (call < 0 || !succeeded.has(addition.by) || !(await this.#counts(workflow, addition))) continue;
      if (await this.#areStored(workflow, addition, call)) return grownBy(workflow, at, call);
      const node = found.find(({ index }) => index === addition.by);
      if (node) return this.#endsOf(workflow, [node], [{ node: node.index, state: 'FAILED', reason: lost }]);
    }
    return undefined;
  }

  /** False if nodes of a call have expired: a workflow that counts them would never end. */
  async #areStored(
    { _id: workflowId }: WorkflowDocument,
    { by, run, attempt, calls }: StoredAddition,
    at: number,
  ): Promise<boolean> {
    const call = calls[at];
    if (!call) throw new RangeError(`call: ${at} does not exist`);
    const stored = { workflowId, by, run, attempt, digest: call.digest };
    return (await this.#options.added.count(stored)) === call.nodes;
  }

  /** True if the attempt that added nodes is the one that succeeded. */
  async #counts({ _id }: WorkflowDocument, { by, run, attempt }: StoredAddition): Promise<boolean> {
    const { nodes, jobs } = this.#options;
    const [node] = await nodes.findMany([nodeIdOf(_id, by)]);
    const jobId = node && nodeJobIds(_id)(node);
    if (jobId === undefined || node?.run !== run) return false;
    const [job] = await jobs.find([jobId], { attempt: 1, state: 1 });
    return job?.attempt === attempt && job.state === 'FINISHED';
  }

  /** Nodes that end now: their jobs have ended, they are doomed, or the workflow is cancelled. */
  async #ending({ _id, cancel, state }: WorkflowDocument): Promise<readonly EndingNode[]> {
    const { nodes } = this.#options;
    if (state === 'CANCELLING') {
      // Before the ends of jobs, by which they would be skipped.
      const some: readonly StoredNodeState[] = ['WAITING', 'READY'];
      const left = await nodes.inStates(_id, some, maxNodes, cancel?.withFinal ? {} : { isFinal: false });
      if (left.length > 0) return left;
    }
    return nodes.inStates(_id, ['ENDING', 'DOOMED'], maxNodes);
  }

  async #withFewEdges(
    workflow: WorkflowDocument,
    found: readonly EndingNode[],
  ): Promise<readonly EndingNode[]> {
    if (found.length === 0) return found;
    const segments = segmentsOf(workflow);
    const blocks = await this.#options.edges.containing(
      workflow,
      found.map(({ index }) => index),
    );
    let edges = 0;
    const end = found.findIndex(({ index }, at) => {
      edges += degreeOf(blocks.get(blockStart(index, segments)), index);
      return at > 0 && edges > maxEdges;
    });
    return end < 0 ? found : found.slice(0, end);
  }

  #failurePause(workflow: WorkflowDocument, after: WorkflowDocument['groups']): WorkflowPatch {
    if (workflow.state !== 'RUNNING') return {};
    const over = after.findIndex(
      ({ failureLimit, counts }, at) =>
        failureLimit !== undefined &&
        counts.FAILED >= failureLimit &&
        counts.FAILED > (workflow.groups[at]?.counts.FAILED ?? 0),
    );
    const group = after[over];
    if (!group) return {};
    const reason = `${group.counts.FAILED} nodes with label "${group.label}" have failed; the limit is ${group.failureLimit}`;
    return { state: 'PAUSED', pause: { by: actor, at: this.#options.now(), reason } };
  }

  #groupEdge({ groups, groupEdges }: WorkflowDocument): WorkflowChange | undefined {
    for (const [at, edge] of groupEdges.entries()) {
      const outcome = edge.outcome ? undefined : groupOutcome(edge, groups);
      if (!outcome) continue;
      const patch = { groupEdges: groupEdges.with(at, { ...edge, outcome }) };
      return { step: { kind: 'GROUP', edge: at, outcome }, patch };
    }
    return undefined;
  }

  #end({ groups, cancel, additions }: WorkflowDocument): WorkflowChange | undefined {
    const counts = countsOf(groups);
    if (endedIn(counts) < nodesIn(counts)) return undefined;
    const past = new ScopePlaces(additions).pastFailures();
    const state = endStateOf(groups, cancel !== undefined, past);
    return { patch: { state, endedAt: this.#options.now(), pause: null } };
  }

  async #release(workflow: WorkflowDocument): Promise<WorkflowChange | undefined> {
    const { _id, state, groups, owner, experiment } = workflow;
    if (state === 'PAUSED') return undefined;
    const { nodes } = this.#options;
    const kinds = releasedKinds(workflow);
    if (kinds.length === 0) return undefined;
    const isLimited = groups.some(({ maxSubmitted }) => maxSubmitted !== undefined);
    const [isFinal] = kinds;
    const ready = isLimited
      ? await this.#readyWithin(workflow, kinds)
      : await nodes.inStates(_id, ['READY'], maxNodes, { ...(kinds.length === 1 ? { isFinal } : {}) });
    if (ready.length === 0) return undefined;
    if (state === 'RUNNING' && !(await this.#hasConsent(workflow))) {
      const reason = `${owner} no longer allows experiment "${experiment}" to submit for them, or may not submit`;
      return { patch: { state: 'PAUSED', pause: { by: actor, at: this.#options.now(), reason } } };
    }
    const units = ready.filter(({ subgraph }) => subgraph !== undefined);
    if (units.length > 0) return this.#begin(workflow, units.slice(0, maxUnits));
    const moves = ready.map((node) => ({ ...node, to: 'SUBMITTED' as const }));
    return {
      step: { kind: 'RELEASE', nodes: ready.map(({ index }) => index) },
      patch: movedCounts(workflow, moves),
    };
  }

  /** Begins with the sub-graphs of nodes, of which one step adds a limited number of nodes. */
  async #begin(workflow: WorkflowDocument, units: readonly EndingNode[]): Promise<WorkflowChange> {
    const ids = units.map(({ index }) => nodeIdOf(workflow._id, index));
    const found = new Map((await this.#options.nodes.findMany(ids)).map((node) => [node.index, node]));
    const begun: WorkflowChange[] = [];
    let current = workflow;
    for (const unit of units) {
      const { index, depth, subgraph } = found.get(unit.index) ?? {};
      if (index === undefined || depth === undefined || !subgraph)
        throw new Error(`node ${unit.index} of ${workflow._id} has no sub-graph`);
      const { groups, additions } = movedCounts(current, [{ ...unit, to: 'SUBMITTED' as const }]);
      const change = nextIteration(
        { ...current, groups, additions: additions ?? [] },
        { index, depth, subgraph },
      );
      const patch = { groups, ...change.patch };
      // An iteration that exists begins in a step of its own.
      if (change.step?.kind !== 'ADD') return begun.length > 0 ? joined(begun) : { ...change, patch };
      begun.push({ step: change.step, patch });
      current = { ...current, ...patch } as WorkflowDocument;
      if (current.nodes - workflow.nodes >= maxNodes) break;
    }
    return joined(begun);
  }

  /** True unless a service submitted the workflow for a person who has withdrawn the consent since. */
  async #hasConsent({ submittedBy, experiment, owner }: WorkflowDocument): Promise<boolean> {
    return submittedBy === undefined || (await this.#options.consents.allows(experiment, owner));
  }

  /** READY nodes, for each group no more than may be submitted. */
  async #readyWithin(
    { _id, groups }: WorkflowDocument,
    kinds: readonly boolean[],
  ): Promise<readonly EndingNode[]> {
    const { nodes } = this.#options;
    const labels = new Set(await nodes.readyLabels(_id));
    const ready: EndingNode[] = [];
    for (const group of groups) {
      const { label, maxSubmitted = Infinity, counts, isFinal } = group;
      const most = Math.min(maxSubmitted - counts.SUBMITTED, counts.WAITING, maxNodes - ready.length);
      if (most > 0 && labels.has(label) && kinds.includes(isFinal))
        ready.push(...(await nodes.ready(_id, group, most)));
    }
    return ready;
  }
}

/**
 * Kinds of nodes that may be submitted, by `isFinal`. Final nodes wait for the end of all others, though
 * fewer edges may make them READY; others are not submitted while the workflow is cancelled.
 */
function releasedKinds({ state, groups }: WorkflowDocument): readonly boolean[] {
  const others = countsOf(sourcesOf({}, groups));
  return [...(state === 'CANCELLING' ? [] : [false]), ...(endedIn(others) === nodesIn(others) ? [true] : [])];
}

/** One change for several, each of which adds nodes to those of the one before. */
function joined(changes: readonly WorkflowChange[]): WorkflowChange {
  const places = changes.flatMap(({ step }) =>
    step?.kind === 'ADD' ? [{ addition: step.addition, call: step.call }] : [],
  );
  const [first, ...more] = places;
  if (!first) throw new RangeError('changes: none; must be at least one');
  return {
    step: { kind: 'ADD', ...first, ...(more.length > 0 ? { more } : {}) },
    patch: changes.at(-1)?.patch ?? {},
  };
}

function degreeOf(block: EdgeBlock | undefined, node: number): number {
  if (!block) return 0;
  return (block.offsets[node - block.first + 1] ?? 0) - (block.offsets[node - block.first] ?? 0);
}

function endOf({ index, state, outcome }: EndingNode, { cancel }: WorkflowDocument): NodeEnd {
  if (state === 'ENDING') return { node: index, state: outcome ?? 'FAILED' };
  if (state === 'DOOMED') return { node: index, state: 'SKIPPED' };
  const reason = cancel?.reason;
  return {
    ...{ node: index, state: 'CANCELLED' },
    ...(reason === undefined ? {} : { reason }),
    ...(cancel ? { by: cancel.by } : {}),
  };
}
