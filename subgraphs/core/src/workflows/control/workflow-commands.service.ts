/** Commands of principals to workflows: pause, resume and cancel. */
import type { Principal } from '@rhizome/authz';
import { isBeforeSubmission, movedGroups } from '../model/node-rules.js';
import type { NodeFacts } from '../model/node.document.js';
import { isActive } from '../run/next-change.js';
import type { NodeStops } from '../run/node-stops.js';
import { cancelledOpen } from '../run/open-workflows.js';
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
  readonly #runner: CommandRunner;

  constructor(options: WorkflowCommandsOptions) {
    this.#stops = options.stops;
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

  /** Cancels nodes. What depends on their success is then skipped. */
  async cancelNodes(
    principal: Principal,
    command: WorkflowCommand & { readonly nodes: readonly string[] },
  ): Promise<WorkflowCommandResult<NodeCommandCode>> {
    const running: NodeFacts[] = [];
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
      await this.#stops.ofNodes(result.workflow, running, this.#runner.commandOf(principal, command));
    return result;
  }
}
