/** Nodes of workflows that begin again: retries, and ends by hand. */
import type { Principal } from '@rhizome/authz';
import { digestOf } from '@rhizome/digest';
import type { RetryChanges } from '../../jobs/bulk/retry-changes.js';
import type { ExperimentDirectory } from '../../jobs/ports.js';
import type { LiveQuota } from '../../jobs/submit/live-quota.js';
import { reportReused } from '../../jobs/submit/submit.service.js';
import { storedKey } from '../../shared/stored-key.js';
import { bitsOfNodes } from '../model/node-bits.js';
import { endStateOf } from '../model/node-rules.js';
import { type NodeFacts, nodeIdOf } from '../model/node.document.js';
import { type Recount, recount, type ResetSets, resetSets, type WorkflowGraph } from '../model/reset.js';
import { ScopePlaces, scopesOf } from '../model/scopes.js';
import { maxRetries, type StoredRetry, type WorkflowDocument } from '../model/workflow.document.js';
import { type ChangedNodes, hasEnded, type NodeEnd, shownState } from '../model/workflow.types.js';
import type { WorkflowChange } from '../run/journal.js';
import { isActive } from '../run/next-change.js';
import type { StepWriter } from '../run/step-writer.js';
import type { NodeJobsRepository } from '../store/node-jobs.repository.js';
import {
  CommandRunner,
  type CommandRunnerOptions,
  conflict,
  type Maybe,
  maxNamed,
  type NodeCommandCode,
  nodeConflict,
  type NodeErrors,
  type WorkflowCommand,
  type WorkflowCommandResult,
} from './command-runner.js';
import { closedDatasets } from '../submit/named-values.js';
import { type NodeChangeCode, NodeChanges, type NodeChangesOptions } from './node-changes.js';

/** Dependencies of {@link WorkflowRetries}. */
export interface WorkflowRetriesOptions extends CommandRunnerOptions, NodeChangesOptions {
  readonly nodeJobs: Pick<NodeJobsRepository, 'classes' | 'environments' | 'datasets'>;
  readonly experiments: Pick<ExperimentDirectory, 'find'>;
  readonly writer: StepWriter;
  readonly quota: Pick<LiveQuota, 'charge'>;
}

/** Choice of the nodes that run again. */
interface RetryContent {
  readonly nodes?: Maybe<readonly string[]>;
  /** Changes of the nodes that failed or are named. */
  readonly changes?: RetryChanges | undefined;
}

/** Codes of a retry in addition to INVALID_VALUE. */
export type RetryCode = NodeCommandCode | NodeChangeCode | 'IDEMPOTENCY_KEY_REUSED';

/** Nodes that begin again, and ends by hand, by a principal. */
interface Reset {
  readonly sets: ResetSets;
  readonly marks: readonly NodeEnd[];
  readonly by: string;
  readonly changed?: ChangedNodes | undefined;
}

/** Lets nodes begin again. */
export class WorkflowRetries {
  readonly #options: WorkflowRetriesOptions;
  readonly #runner: CommandRunner;
  readonly #changes: NodeChanges;

  constructor(options: WorkflowRetriesOptions) {
    this.#options = options;
    this.#runner = new CommandRunner(options);
    this.#changes = new NodeChanges(options);
  }

  /**
   * Runs nodes again: those that failed or were cancelled, and what was skipped because of them; or named
   * nodes and everything behind them. Final nodes follow again.
   */
  retry(
    principal: Principal,
    command: WorkflowCommand & RetryContent & { readonly idempotencyKey?: Maybe<string> },
  ): Promise<WorkflowCommandResult<RetryCode>> {
    const charge = this.#chargeOnce();
    const { changes } = command;
    return this.#runner.run<RetryCode>(principal, 'job:retry', command, async (workflow, errors) => {
      // The digest of a list takes time: only callers who may retry have it made, of a bounded list.
      if (command.nodes) errors.list(['nodes'], command.nodes, maxNamed, 1);
      if (!errors.isEmpty) return undefined;
      const key = retryKeyOf(principal, command);
      const known = key && workflow.retries?.find((one) => one.key === key.key);
      if (known) {
        if (known.digest !== key.digest) reportReused(errors, command.idempotencyKey ?? '');
        return undefined;
      }
      const retries = key && { retries: [...(workflow.retries ?? []), key].slice(-maxRetries) };
      if (!mayBegin(workflow)) return conflict(errors, workflow, 'retry it', 'RUNNING, PAUSED or ended');
      if (changes) await this.#changes.check(workflow, changes, errors);
      if (!errors.isEmpty) return undefined;
      const named = command.nodes && (await this.#runner.named(workflow, command.nodes, errors));
      if (command.nodes && !named) return undefined;
      const unended = named?.find(({ state }) => !hasEnded(state));
      if (unended) return nodeConflict(errors, unended, 'retried', 'one that has ended');
      const graph = await this.#options.writer.graphOf(workflow);
      if (named && leftIteration(workflow, named, errors)) return undefined;
      const { seeds, reopened } = named
        ? { seeds: named.map(({ index }) => index), reopened: [] }
        : undoneNodes(graph);
      if (seeds.length + reopened.length === 0) return retries && { patch: retries };
      const sets = resetSets(graph, { seeds, reopened, reach: named ? 'ALL' : 'UNDONE' });
      const { nodes: reset } = sets;
      if (await this.#hasRunning(workflow, graph, reset, errors)) return undefined;
      if (await this.#hasGrown(workflow, reset, errors)) return undefined;
      if (await this.#hasClosedDataset(workflow, reset, errors)) return undefined;
      const changed = changes && (await this.#changes.of(workflow, seeds, changes, errors));
      if (!errors.isEmpty) return undefined;
      await charge(workflow, graph, reset);
      const again = { sets, marks: [], by: principal.subject, changed };
      const change = resetOf(workflow, again, recount(graph, reset, [], sets.reopened));
      return { ...change, patch: { ...change.patch, ...retries } };
    });
  }

  /** Ends nodes by hand, also ended ones; what was skipped because of them waits again. */
  mark(
    principal: Principal,
    command: WorkflowCommand & {
      readonly nodes: readonly string[];
      readonly state: 'SUCCEEDED' | 'SKIPPED';
      readonly reason: string;
    },
  ): Promise<WorkflowCommandResult<NodeCommandCode>> {
    const charge = this.#chargeOnce();
    return this.#runner.run<NodeCommandCode>(principal, 'job:retry', command, async (workflow, errors) => {
      if (!mayBegin(workflow))
        return conflict(errors, workflow, 'end nodes by hand', 'RUNNING, PAUSED or ended');
      const nodes = await this.#runner.named(workflow, command.nodes, errors);
      if (!nodes) return undefined;
      const running = nodes.find(({ state }) => shownState(state) === 'SUBMITTED');
      if (running)
        return nodeConflict(errors, running, 'ended by hand', 'one that does not run; cancel it first');
      const { by } = this.#runner.commandOf(principal, command);
      const { state, reason } = command;
      const marks = nodes
        .filter((node) => node.state !== state || node.by !== by || node.reason !== reason)
        .map(({ index }): NodeEnd => ({ node: index, state, reason, by }));
      if (marks.length === 0) return undefined;
      const graph = await this.#options.writer.graphOf(workflow);
      if (leftIteration(workflow, nodes, errors)) return undefined;
      const seeds = marks.map(({ node }) => node);
      const sets = resetSets(graph, { seeds, reach: 'UNDONE', isSeedReset: false });
      const { nodes: reset } = sets;
      if (await this.#hasRunning(workflow, graph, reset, errors)) return undefined;
      if (await this.#hasGrown(workflow, reset, errors)) return undefined;
      if (await this.#hasClosedDataset(workflow, reset, errors)) return undefined;
      await charge(workflow, graph, reset);
      return resetOf(workflow, { sets, marks, by }, recount(graph, reset, marks, sets.reopened));
    });
  }

  /** Adds an error if a node that would begin again runs. */
  async #hasRunning(
    { _id }: WorkflowDocument,
    { nodes }: WorkflowGraph,
    reset: ReadonlySet<number>,
    errors: NodeErrors,
  ): Promise<boolean> {
    const running = [...reset].find((at) => shownState(nodes[at]?.state ?? 'WAITING') === 'SUBMITTED');
    if (running === undefined) return false;
    const [node] = await this.#options.nodes.findMany([nodeIdOf(_id, running)]);
    if (!node) throw new Error(`node ${running} of ${_id} does not exist`);
    nodeConflict(errors, node, 'run again with the nodes before it', 'one that does not run');
    return true;
  }

  /** Adds an error if a node that would begin again has added nodes: it would add others. */
  async #hasGrown(
    { _id, additions = [] }: WorkflowDocument,
    reset: ReadonlySet<number>,
    errors: NodeErrors,
  ): Promise<boolean> {
    const found = additions.find(
      ({ by, calls, scope }) => !scope && reset.has(by) && calls.some(({ first }) => first !== undefined),
    );
    if (!found) return false;
    const [node] = await this.#options.nodes.findMany([nodeIdOf(_id, found.by)]);
    if (!node) throw new Error(`node ${found.by} of ${_id} does not exist`);
    const text = `nodes: ${JSON.stringify(node.name)} has added nodes and cannot run again; retry what it added, or clone the workflow`;
    errors.report('NODE_STATE_CONFLICT', ['nodes'], text);
    return true;
  }

  /** Adds an error if a node that would begin again adds outputs to a dataset that takes none any more. */
  async #hasClosedDataset(
    workflow: WorkflowDocument,
    reset: ReadonlySet<number>,
    errors: NodeErrors,
  ): Promise<boolean> {
    const { nodeJobs, experiments } = this.#options;
    const datasets = await nodeJobs.datasets(workflow._id, [...reset]);
    const [closed] = await closedDatasets(experiments, workflow, datasets);
    if (!closed) return false;
    const { id, node } = closed;
    const text = `nodes: ${JSON.stringify(node)} adds outputs to dataset "${id}", which is not open any more, and cannot run again`;
    errors.report('NODE_STATE_CONFLICT', ['nodes'], text);
    return true;
  }

  /** Charges nodes that wait again; a command may have to be decided more than once. */
  #chargeOnce(): (
    workflow: WorkflowDocument,
    graph: WorkflowGraph,
    reset: ReadonlySet<number>,
  ) => Promise<void> {
    let isCharged = false;
    return async ({ experiment, owner, nodes, bytes = 0 }, graph, reset) => {
      const jobs = [...reset].filter((at) => hasEnded(graph.nodes[at]?.state ?? 'WAITING')).length;
      if (isCharged || jobs === 0) return;
      await this.#options.quota.charge(experiment, owner, { jobs, bytes: (bytes * jobs) / nodes });
      isCharged = true;
    };
  }
}

/**
 * Nodes that have failed or were cancelled, apart from those of iterations after which others have begun,
 * and of sub-graphs that were ended by hand.
 * Nodes whose sub-graphs have begun go on with these.
 */
function undoneNodes({ nodes, additions }: WorkflowGraph): {
  readonly seeds: readonly number[];
  readonly reopened: readonly number[];
} {
  const places = new ScopePlaces(additions);
  const begun = new Set(
    scopesOf(additions).flatMap(([, { by, scope }]) => (scope.iteration > 0 ? [by] : [])),
  );
  const undone = nodes.flatMap(({ state }, at) =>
    (state === 'FAILED' || state === 'CANCELLED') && !places.isSettled(at) ? [at] : [],
  );
  return {
    seeds: undone.filter((node) => !begun.has(node)),
    reopened: undone.filter((node) => begun.has(node)),
  };
}

/** Adds an error if a node is not part of the latest iteration of its sub-graph. */
function leftIteration(
  { additions = [] }: WorkflowDocument,
  nodes: readonly NodeFacts[],
  errors: NodeErrors,
): boolean {
  const places = new ScopePlaces(additions);
  for (const { index, name } of nodes) {
    const place = places.of(index);
    const latest = place && additions[place.addition]?.scope?.iteration;
    if (!place || latest === undefined) continue;
    const isLatest = place.call === latest - 1;
    if (isLatest && !places.isPast(index)) continue;
    const own = isLatest
      ? 'an iteration of an outer loop after which another has begun; must be a node of the latest'
      : `iteration ${place.call + 1}, and the loop is in iteration ${latest}; must be a node of that`;
    const text = `nodes: ${JSON.stringify(name)} is part of ${own}, or the loop itself`;
    errors.report('NODE_STATE_CONFLICT', ['nodes'], text);
    return true;
  }
  return false;
}

/** True if nodes may begin again: those of a workflow that was cancelled before its seal do not exist. */
function mayBegin({ state, isEmptied }: WorkflowDocument): boolean {
  return state !== 'OPEN' && state !== 'CANCELLING' && isEmptied === undefined;
}

/** The workflow runs again, unless it is paused, or has ended and no node begins again. */
function resetOf(
  workflow: WorkflowDocument,
  { sets: { nodes: reset, reopened }, marks, by, changed }: Reset,
  { groups, groupEdges, additions }: Recount,
): WorkflowChange {
  const { state, cancel } = workflow;
  const step = {
    ...({ kind: 'RESET', nodes: bitsOfNodes(reset), marks, by } as const),
    ...(reopened.size > 0 ? { reopened: bitsOfNodes(reopened) } : {}),
    ...(changed ? { changed } : {}),
  };
  const counts = { groups, groupEdges, ...(additions ? { additions } : {}) };
  if (reset.size + reopened.size === 0 && !isActive(workflow)) {
    const past = new ScopePlaces(additions).pastFailures();
    return { step, patch: { ...counts, state: endStateOf(groups, cancel !== undefined, past) } };
  }
  return {
    step,
    patch: {
      ...{ ...counts, endedAt: null, cancel: null },
      ...(state === 'PAUSED' ? {} : { state: 'RUNNING' }),
    },
  };
}

/** Key of a retry as it is stored; undefined without one. */
function retryKeyOf(
  { subject }: Principal,
  { idempotencyKey, nodes, changes }: RetryContent & { readonly idempotencyKey?: Maybe<string> },
): StoredRetry | undefined {
  if (idempotencyKey == null) return undefined;
  return { key: storedKey(subject, idempotencyKey), digest: digestOf({ nodes, ...changes }) };
}
