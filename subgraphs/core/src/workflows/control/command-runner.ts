/** Runs commands of principals to workflows: access, and the change that a command decides about. */
import type { CoreAction, Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import { type InputError, InputErrors } from '@rhizome/errors';
import type { JobAccess } from '../../jobs/ports.js';
import type { NodeFacts } from '../model/node.document.js';
import type { WorkflowDocument } from '../model/workflow.document.js';
import { shownState } from '../model/workflow.types.js';
import type { Decide, Journal, WorkflowChange } from '../run/journal.js';
import type { NodesRepository } from '../store/nodes.repository.js';
import type { WorkflowsRepository } from '../store/workflows.repository.js';
import { changeable, type WorkflowAccessCode } from './workflow-access.js';

/** Value of an input that may be left out. */
export type Maybe<T> = T | null | undefined;

/** Dependencies of {@link CommandRunner}. */
export interface CommandRunnerOptions {
  readonly workflows: WorkflowsRepository;
  readonly nodes: NodesRepository;
  readonly journal: Journal;
  readonly access: JobAccess;
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

/** Most nodes that a command names. */
export const maxNamed = 1000;

/** Collects errors of commands to nodes, whose codes may be more. */
export type NodeErrors = Pick<InputErrors<NodeCommandCode>, 'report' | 'list' | 'isEmpty'>;

/** Runs commands. */
export class CommandRunner {
  readonly #options: CommandRunnerOptions;

  constructor(options: CommandRunnerOptions) {
    this.#options = options;
  }

  /** The command as the workflow stores it. */
  commandOf({ subject }: Principal, { reason }: WorkflowCommand) {
    return { by: subject, at: this.#options.clock.now(), ...(reason == null ? {} : { reason }) };
  }

  /** Makes the change that the command decides about, if the principal may make it. */
  async run<C extends string>(
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

  /** Nodes by name; undefined if one does not exist, which is an error. */
  async named(
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

/** Adds an error about the state of a workflow. */
export function conflict(
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

/** Adds an error about the state of a node. */
export function nodeConflict(
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
