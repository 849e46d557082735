/** Commands of principals to workflows: pause, resume, cancel, retry, and ends of nodes by hand. */
import type { CoreAction, Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import { digestOf } from '@rhizome/digest';
import { type InputError, InputErrors } from '@rhizome/errors';
import type { RetryChanges } from '../../jobs/bulk/retry-changes.js';
import type { JobAccess } from '../../jobs/ports.js';
import type { LiveQuota } from '../../jobs/submit/live-quota.js';
import { reportReused } from '../../jobs/submit/submit.service.js';
import { storedKey } from '../../shared/stored-key.js';
import { bitsOfNodes } from '../model/node-bits.js';
import { endStateOf, isBeforeSubmission, movedGroups } from '../model/node-rules.js';
import { type NodeFacts, nodeIdOf } from '../model/node.document.js';
import { recount, resetNodes, type WorkflowGraph } from '../model/reset.js';
import { maxRetries, type StoredRetry, type WorkflowDocument } from '../model/workflow.document.js';
import { type ChangedNodes, hasEnded, type NodeEnd, shownState } from '../model/workflow.types.js';
import type { Decide, Journal, WorkflowChange } from '../run/journal.js';
import { isActive } from '../run/next-change.js';
import { cancelledOpen } from '../run/open-workflows.js';
import type { NodeStops } from '../run/node-stops.js';
import type { StepWriter } from '../run/step-writer.js';
import type { NodesRepository } from '../store/nodes.repository.js';
import type { WorkflowsRepository } from '../store/workflows.repository.js';
import { type NodeChangeCode, NodeChanges, type NodeChangesOptions } from './node-changes.js';
import { changeable, type WorkflowAccessCode } from './workflow-access.js';

type Maybe<T> = T | null | undefined;

/** Dependencies of {@link WorkflowCommands}. */
export interface WorkflowCommandsOptions extends Pick<NodeChangesOptions, 'classes' | 'queues'> {
  readonly workflows: WorkflowsRepository;
  readonly nodes: NodesRepository;
  readonly journal: Journal;
  readonly writer: StepWriter;
  readonly stops: NodeStops;
  readonly access: JobAccess;
  readonly quota: Pick<LiveQuota, 'charge'>;
  readonly clock: Clock;
}

/** Codes of commands to whole workflows in addition to INVALID_VALUE. */
export type WorkflowCommandCode = WorkflowAccessCode | 'WORKFLOW_STATE_CONFLICT';

/** Codes of commands to nodes in addition to INVALID_VALUE. */
export type NodeCommandCode = WorkflowCommandCode | 'NODE_NOT_FOUND' | 'NODE_STATE_CONFLICT';

/** The workflow after the command, or the errors because of which it was not changed. */
export interface WorkflowCommandResult<C extends string> {
  readonly workflow: WorkflowDocument | null;
  readonly userErrors: readonly InputError<C>[];
}

/** Command to a workflow, or to some of its nodes. */
export interface WorkflowCommand {
  readonly workflowId: string;
  readonly reason?: Maybe<string>;
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
  readonly reset: ReadonlySet<number>;
  readonly marks: readonly NodeEnd[];
  readonly by: string;
  readonly changed?: ChangedNodes | undefined;
}

/** Most nodes that a command names. */
const maxNamed = 1000;

/** Collects errors of commands to nodes, whose codes may be more. */
type NodeErrors = Pick<InputErrors<NodeCommandCode>, 'report' | 'list' | 'isEmpty'>;

/** Changes workflows. */
export class WorkflowCommands {
  readonly #options: WorkflowCommandsOptions;
  readonly #changes: NodeChanges;

  constructor(options: WorkflowCommandsOptions) {
    this.#options = options;
    this.#changes = new NodeChanges(options);
  }

  /** Submits no further nodes. Jobs that exist go on. */
  pause(principal: Principal, command: WorkflowCommand): Promise<WorkflowCommandResult<WorkflowCommandCode>> {
    return this.#run<WorkflowCommandCode>(principal, 'job:hold', command, async (workflow, errors) => {
      if (workflow.state === 'PAUSED') return undefined;
      if (workflow.state !== 'RUNNING') return conflict(errors, workflow, 'pause it', 'RUNNING');
      return { patch: { state: 'PAUSED', pause: this.#commandOf(principal, command) } };
    });
  }

  /** Submits nodes again. */
  resume(
    principal: Principal,
    command: WorkflowCommand,
  ): Promise<WorkflowCommandResult<WorkflowCommandCode>> {
    return this.#run<WorkflowCommandCode>(principal, 'job:hold', command, async (workflow, errors) => {
      if (workflow.state === 'RUNNING') return undefined;
      if (workflow.state !== 'PAUSED') return conflict(errors, workflow, 'resume it', 'PAUSED');
      return { patch: { state: 'RUNNING', pause: null } };
    });
  }

  /** Cancels a workflow. Afterwards only final nodes are submitted, unless they are cancelled, too. */
  async cancel(
    principal: Principal,
    command: WorkflowCommand & { readonly isFinalIncluded?: Maybe<boolean> },
  ): Promise<WorkflowCommandResult<WorkflowCommandCode>> {
    const withFinal = command.isFinalIncluded === true;
    const result = await this.#run<WorkflowCommandCode>(
      principal,
      'job:cancel',
      command,
      async (workflow, errors) => {
        if (workflow.state === 'CANCELLED') return undefined;
        if (workflow.state === 'CANCELLING' && (workflow.cancel?.withFinal === true || !withFinal))
          return undefined;
        const cancel = { ...this.#commandOf(principal, command), withFinal };
        if (workflow.state === 'OPEN') return { patch: cancelledOpen(cancel) };
        if (!isActive(workflow))
          return conflict(errors, workflow, 'cancel it', 'OPEN, RUNNING, PAUSED or CANCELLING');
        return { patch: { state: 'CANCELLING', cancel, pause: null } };
      },
    );
    if (result.workflow?.state === 'CANCELLING') await this.#options.stops.ofCancelled(command.workflowId);
    return result;
  }

  /** Cancels nodes. What depends on their success is then skipped. */
  async cancelNodes(
    principal: Principal,
    command: WorkflowCommand & { readonly nodes: readonly string[] },
  ): Promise<WorkflowCommandResult<NodeCommandCode>> {
    const running: NodeFacts[] = [];
    const result = await this.#run<NodeCommandCode>(
      principal,
      'job:cancel',
      command,
      async (workflow, errors) => {
        if (!isActive(workflow)) return conflict(errors, workflow, 'cancel nodes', 'RUNNING or PAUSED');
        const nodes = await this.#named(workflow, command.nodes, errors);
        if (!nodes) return undefined;
        const { by, reason } = this.#commandOf(principal, command);
        running.splice(0, running.length, ...nodes.filter(({ state }) => state === 'SUBMITTED'));
        const waiting = nodes.filter(({ state }) => isBeforeSubmission(state));
        if (waiting.length === 0) return undefined;
        const end = { state: 'CANCELLED', by, ...(reason ? { reason } : {}) } as const;
        const moves = waiting.map((node) => ({ ...node, to: end.state }));
        return {
          step: { kind: 'ENDS', ends: waiting.map(({ index }) => ({ node: index, ...end })) },
          patch: { groups: movedGroups(workflow.groups, moves) },
        };
      },
    );
    if (result.workflow && running.length > 0)
      await this.#options.stops.ofNodes(result.workflow, running, this.#commandOf(principal, command));
    return result;
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
    return this.#run<RetryCode>(principal, 'job:retry', command, async (workflow, errors) => {
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
      const named = command.nodes && (await this.#named(workflow, command.nodes, errors));
      if (command.nodes && !named) return undefined;
      const unended = named?.find(({ state }) => !hasEnded(state));
      if (unended) return nodeConflict(errors, unended, 'retried', 'one that has ended');
      const graph = await this.#options.writer.graphOf(workflow);
      const seeds = named
        ? named.map(({ index }) => index)
        : graph.nodes.flatMap(({ state }, at) => (state === 'FAILED' || state === 'CANCELLED' ? [at] : []));
      if (seeds.length === 0) return retries && { patch: retries };
      const reset = resetNodes(graph, seeds, named ? 'ALL' : 'UNDONE');
      if (await this.#hasRunning(workflow, graph, reset, errors)) return undefined;
      if (await this.#hasGrown(workflow, reset, errors)) return undefined;
      const changed = changes && (await this.#changes.of(workflow, seeds, changes, errors));
      if (!errors.isEmpty) return undefined;
      await charge(workflow, graph, reset);
      const { groups, groupEdges } = recount(graph, reset, []);
      const again = { reset, marks: [], by: principal.subject, changed };
      const change = resetOf(workflow, again, { groups, groupEdges });
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
    return this.#run<NodeCommandCode>(principal, 'job:retry', command, async (workflow, errors) => {
      if (!mayBegin(workflow))
        return conflict(errors, workflow, 'end nodes by hand', 'RUNNING, PAUSED or ended');
      const nodes = await this.#named(workflow, command.nodes, errors);
      if (!nodes) return undefined;
      const running = nodes.find(({ state }) => shownState(state) === 'SUBMITTED');
      if (running)
        return nodeConflict(errors, running, 'ended by hand', 'one that does not run; cancel it first');
      const { by } = this.#commandOf(principal, command);
      const { state, reason } = command;
      const marks = nodes
        .filter((node) => node.state !== state || node.by !== by || node.reason !== reason)
        .map(({ index }): NodeEnd => ({ node: index, state, reason, by }));
      if (marks.length === 0) return undefined;
      const graph = await this.#options.writer.graphOf(workflow);
      const seeds = marks.map(({ node }) => node);
      const reset = resetNodes(graph, seeds, 'UNDONE', false);
      if (await this.#hasRunning(workflow, graph, reset, errors)) return undefined;
      if (await this.#hasGrown(workflow, reset, errors)) return undefined;
      await charge(workflow, graph, reset);
      return resetOf(workflow, { reset, marks, by }, recount(graph, reset, marks));
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
      ({ by, calls }) => reset.has(by) && calls.some(({ first }) => first !== undefined),
    );
    if (!found) return false;
    const [node] = await this.#options.nodes.findMany([nodeIdOf(_id, found.by)]);
    if (!node) throw new Error(`node ${found.by} of ${_id} does not exist`);
    const text = `nodes: ${JSON.stringify(node.name)} has added nodes and cannot run again; retry what it added, or clone the workflow`;
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

  #commandOf({ subject }: Principal, { reason }: WorkflowCommand) {
    return { by: subject, at: this.#options.clock.now(), ...(reason == null ? {} : { reason }) };
  }

  async #run<C extends WorkflowCommandCode | RetryCode>(
    principal: Principal,
    action: CoreAction,
    { workflowId: id, reason, idempotencyKey }: WorkflowCommand & { readonly idempotencyKey?: Maybe<string> },
    decide: (workflow: WorkflowDocument, errors: InputErrors<C>) => Promise<WorkflowChange | undefined>,
  ): Promise<WorkflowCommandResult<C>> {
    const { workflows, journal, access } = this.#options;
    const errors = new InputErrors<WorkflowCommandCode>();
    if (reason != null) errors.text(['reason'], reason, 1, 500);
    if (idempotencyKey != null) errors.verbatim(['idempotencyKey'], idempotencyKey, 1, 200);
    const workflow = await workflows.find(id);
    if (!errors.isEmpty || !changeable(errors, principal, action, { id, workflow }, access))
      return { workflow: null, userErrors: errors.all as readonly InputError<C>[] };
    const found: InputErrors<C>[] = [];
    const once: Decide = async (current) => {
      const own = new InputErrors<C>();
      found[0] = own;
      return decide(current, own);
    };
    const changed = await journal.change(id, once);
    const userErrors = found[0]?.all ?? [];
    return { workflow: userErrors.length === 0 ? (changed?.workflow ?? null) : null, userErrors };
  }

  async #named(
    { _id }: WorkflowDocument,
    names: readonly string[],
    errors: NodeErrors,
  ): Promise<readonly NodeFacts[] | undefined> {
    errors.list(['nodes'], names, maxNamed, 1);
    if (!errors.isEmpty) return undefined;
    const found = await this.#options.nodes.named(_id, names);
    const known = new Set(found.map(({ name }) => name));
    names.forEach((name, at) => {
      if (!known.has(name))
        errors.report(
          'NODE_NOT_FOUND',
          ['nodes', at],
          `Node ${JSON.stringify(name.slice(0, 200))} not found in workflow "${_id}".`,
        );
    });
    return errors.isEmpty ? found : undefined;
  }
}

/** True if nodes may begin again: those of a workflow that was cancelled before its seal do not exist. */
function mayBegin({ state, isEmptied }: WorkflowDocument): boolean {
  return state !== 'OPEN' && state !== 'CANCELLING' && isEmptied === undefined;
}

/** The workflow runs again, unless it is paused, or has ended and no node begins again. */
function resetOf(
  workflow: WorkflowDocument,
  { reset, marks, by, changed }: Reset,
  { groups, groupEdges }: Pick<WorkflowDocument, 'groups' | 'groupEdges'>,
): WorkflowChange {
  const { state, cancel } = workflow;
  const nodes = bitsOfNodes(reset);
  const step = { kind: 'RESET', nodes, marks, by, ...(changed ? { changed } : {}) } as const;
  if (reset.size === 0 && !isActive(workflow))
    return { step, patch: { groups, groupEdges, state: endStateOf(groups, cancel !== undefined) } };
  return {
    step,
    patch: {
      ...{ groups, groupEdges, endedAt: null, cancel: null },
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

function conflict(
  errors: Pick<InputErrors<'WORKFLOW_STATE_CONFLICT'>, 'report'>,
  { _id, state }: WorkflowDocument,
  verb: string,
  wanted: string,
): undefined {
  errors.report(
    'WORKFLOW_STATE_CONFLICT',
    ['workflowId'],
    `workflowId: workflow "${_id}" is ${state}; to ${verb}, it must be ${wanted}`,
  );
}

function nodeConflict(
  errors: NodeErrors,
  { name, state }: NodeFacts,
  verb: string,
  wanted: string,
): undefined {
  errors.report(
    'NODE_STATE_CONFLICT',
    ['nodes'],
    `nodes: ${JSON.stringify(name)} is ${shownState(state)} and cannot be ${verb}; must be ${wanted}`,
  );
}
