/** Commands of principals to workflows: pause, resume and cancel. */
import type { Principal } from '@rhizome/authz';
import { isBeforeSubmission } from '../model/node-rules.js';
import type { NodeFacts } from '../model/node.document.js';
import { openWithin } from '../model/scopes.js';
import type { WorkflowDocument } from '../model/workflow.document.js';
import { movedCounts } from '../run/moves.js';
import { isActive } from '../run/next-change.js';
import type { NodeStops } from '../run/node-stops.js';
import { cancelledOpen } from '../run/open-workflows.js';
import type { NodesRepository } from '../store/nodes.repository.js';
import {
  CommandRunner,
  type CommandRunnerOptions,
  conflict,
  type Maybe,
  type NodeCommandCode,
  type WorkflowCommand,
  type WorkflowCommandCode,
  type WorkflowCommandResult,
} from './command-runner.js';

/** Dependencies of {@link WorkflowCommands}. */
export interface WorkflowCommandsOptions extends CommandRunnerOptions {
  readonly stops: NodeStops;
}

/** Changes workflows. */
export class WorkflowCommands {
  readonly #stops: NodeStops;
  readonly #nodes: NodesRepository;
  readonly #runner: CommandRunner;

  constructor(options: WorkflowCommandsOptions) {
    this.#stops = options.stops;
    this.#nodes = options.nodes;
    this.#runner = new CommandRunner(options);
  }

  /** Submits no further nodes. Jobs that exist go on. */
  pause(principal: Principal, command: WorkflowCommand): Promise<WorkflowCommandResult<WorkflowCommandCode>> {
    return this.#runner.run<WorkflowCommandCode>(principal, 'job:hold', command, async (workflow, errors) => {
      if (workflow.state === 'PAUSED') return undefined;
      if (workflow.state !== 'RUNNING') return conflict(errors, workflow, 'pause it', 'RUNNING');
      return { patch: { state: 'PAUSED', pause: this.#runner.commandOf(principal, command) } };
    });
  }

  /** Submits nodes again. */
  resume(
    principal: Principal,
    command: WorkflowCommand,
  ): Promise<WorkflowCommandResult<WorkflowCommandCode>> {
    return this.#runner.run<WorkflowCommandCode>(principal, 'job:hold', command, async (workflow, errors) => {
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
    const result = await this.#runner.run<WorkflowCommandCode>(
      principal,
      'job:cancel',
      command,
      async (workflow, errors) => {
        if (workflow.state === 'CANCELLED') return undefined;
        if (workflow.state === 'CANCELLING' && (workflow.cancel?.withFinal === true || !withFinal))
          return undefined;
        const cancel = { ...this.#runner.commandOf(principal, command), withFinal };
        if (workflow.state === 'OPEN') return { patch: cancelledOpen(cancel) };
        if (!isActive(workflow))
          return conflict(errors, workflow, 'cancel it', 'OPEN, RUNNING, PAUSED or CANCELLING');
        return { patch: { state: 'CANCELLING', cancel, pause: null } };
      },
    );
    if (result.workflow?.state === 'CANCELLING') await this.#stops.ofCancelled(command.workflowId);
    return result;
  }

  /** Cancels nodes, with their sub-graphs. What depends on their success is then skipped. */
  async cancelNodes(
    principal: Principal,
    command: WorkflowCommand & { readonly nodes: readonly string[] },
  ): Promise<WorkflowCommandResult<NodeCommandCode>> {
    const running: NodeFacts[] = [];
    const scopes = new Set<number>();
    const result = await this.#runner.run<NodeCommandCode>(
      principal,
      'job:cancel',
      command,
      async (workflow, errors) => {
        if (!isActive(workflow)) return conflict(errors, workflow, 'cancel nodes', 'RUNNING or PAUSED');
        const nodes = await this.#runner.named(workflow, command.nodes, errors);
        if (!nodes) return undefined;
        const { by, reason } = this.#runner.commandOf(principal, command);
        running.splice(0, running.length, ...nodes.filter(({ state }) => state === 'SUBMITTED'));
        const waiting = nodes.filter(({ state }) => isBeforeSubmission(state));
        scopes.clear();
        const { additions = [] } = workflow;
        for (const { index } of running.filter(({ subgraph }) => subgraph))
          for (const at of openWithin(additions, index)) scopes.add(at);
        const open = [...scopes].filter((at) => additions[at]?.scope?.cancelled === undefined);
        if (waiting.length === 0 && open.length === 0) return undefined;
        const end = { state: 'CANCELLED', by, ...(reason ? { reason } : {}) } as const;
        const moves = waiting.map((node) => ({ ...node, to: end.state }));
        const cancelled = { by, ...(reason ? { reason } : {}) };
        const marked = additions.map((addition, at) =>
          addition.scope && open.includes(at)
            ? { ...addition, scope: { ...addition.scope, cancelled } }
            : addition,
        );
        const ends = waiting.map(({ index }) => ({ node: index, ...end }));
        const patch = movedCounts({ ...workflow, additions: marked }, moves);
        return {
          ...(ends.length > 0 ? { step: { kind: 'ENDS', ends } as const } : {}),
          patch: workflow.additions ? patch : { groups: patch.groups },
        };
      },
    );
    if (!result.workflow) return result;
    const given = this.#runner.commandOf(principal, command);
    await this.#stops.ofNodes(result.workflow, running, given);
    for (const at of scopes) await this.#stopWithin(result.workflow, at, given);
    return result;
  }

  /** Cancels the jobs of the present iteration of a sub-graph, whose other nodes the leader ends. */
  async #stopWithin(
    workflow: WorkflowDocument,
    at: number,
    command: { readonly by: string; readonly reason?: string },
  ): Promise<void> {
    const { calls = [], scope } = workflow.additions?.[at] ?? {};
    const { first, nodes } = calls[(scope?.iteration ?? 0) - 1] ?? {};
    if (first === undefined || nodes === undefined) return;
    const submitted = await this.#nodes.submittedIn(workflow._id, { first, nodes });
    await this.#stops.ofNodes(workflow, submitted, command);
  }
}
