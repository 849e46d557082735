/** The experiments, queues and tasks that policies apply to, and the rights on their policies. */
import { assertCan, can, describePrincipal, experimentsFor, owns, type Principal } from '@rhizome/authz';
import { type CodedInputError, DomainError } from '@rhizome/errors';
import type { PolicyVisibility } from './policies.repository.js';
import type { PolicyScope } from './policy.types.js';

/** Code of an error about the scope. */
export type ScopeErrorCode = 'EXPERIMENT_NOT_FOUND' | 'QUEUE_NOT_FOUND' | 'TASK_NOT_FOUND';

/** Facts of a queue that rights on its policy depend on. */
export interface PolicyQueue {
  /** Experiments that it admits; all if empty. */
  readonly experiments: readonly string[];
}

/** Facts of a task that rights on its policy depend on. */
export interface PolicyTask {
  readonly experiment: string;
  readonly owner: string;
  readonly submittedBy?: string | undefined;
}

/** Look-ups of other domains. What the principal may not see is null. */
export interface PolicyScopesOptions {
  readonly experimentExists: (name: string) => Promise<boolean>;
  readonly visibleQueue: (name: string, principal: Principal) => Promise<PolicyQueue | null>;
  /** Names of all queues that the principal may see. */
  readonly visibleQueues: (principal: Principal) => readonly string[];
  readonly visibleTask: (id: string, principal: Principal) => Promise<PolicyTask | null>;
}

/** A scope with its experiment, or that of the task. */
export type PolicyTarget = PolicyScope & { readonly experiment?: string | undefined };

/** Rights on policies. */
export class PolicyScopes {
  readonly #options: PolicyScopesOptions;

  constructor(options: PolicyScopesOptions) {
    this.#options = options;
  }

  /** The policies that the principal may list. */
  visibility(principal: Principal): PolicyVisibility {
    return {
      experiments: experimentsFor(principal, 'experiment:read'),
      tasksOf: experimentsFor(principal, 'task:read'),
      queues: this.#options.visibleQueues(principal),
    };
  }

  /** Returns true if the principal may see the policy of a scope. */
  async isVisible(principal: Principal, { kind, name, experiment }: PolicyTarget): Promise<boolean> {
    if (kind === 'EXPERIMENT') return can(principal, 'experiment:read', name);
    if (kind === 'TASK') return experiment !== undefined && can(principal, 'task:read', experiment);
    return (await this.#options.visibleQueue(name, principal)) !== null;
  }

  /**
   * Returns the target of a change that the principal may make, or the error if there is none.
   * @throws DomainError FORBIDDEN
   */
  async writable(
    principal: Principal,
    scope: PolicyScope,
  ): Promise<PolicyTarget | { readonly missing: CodedInputError<ScopeErrorCode> }> {
    const { kind, name } = scope;
    if (kind === 'EXPERIMENT') {
      const exists = can(principal, 'experiment:read', name) && (await this.#options.experimentExists(name));
      if (!exists) return missing('EXPERIMENT_NOT_FOUND', 'experiment', `Experiment "${name}"`);
      assertCan(principal, 'policy:manage', name);
      return { kind, name, experiment: name };
    }
    if (kind === 'QUEUE') {
      const queue = await this.#options.visibleQueue(name, principal);
      if (!queue) return missing('QUEUE_NOT_FOUND', 'queue', `Queue "${name}"`);
      for (const experiment of queue.experiments.length === 0 ? ['*'] : queue.experiments)
        assertCan(principal, 'queue:update', experiment);
      return { kind, name };
    }
    const task = await this.#options.visibleTask(name, principal);
    if (!task) return missing('TASK_NOT_FOUND', 'taskId', `Task "${name}"`);
    assertMayGovern(principal, name, task);
    return { kind, name, experiment: task.experiment };
  }
}

function assertMayGovern(
  principal: Principal,
  id: string,
  { experiment, owner, submittedBy }: PolicyTask,
): void {
  assertCan(principal, 'policy:set', experiment);
  const isOwn = owns(principal, owner) || owns(principal, submittedBy);
  if (isOwn || can(principal, 'job:manageAny', experiment)) return;
  const text = `${describePrincipal(principal)} may not set the policy of task "${id}": it belongs to ${owner}`;
  throw new DomainError('FORBIDDEN', text, { action: 'policy:set', experiment });
}

function missing(code: ScopeErrorCode, field: string, what: string) {
  const message = `${what} not found, or you may not see it.`;
  return { missing: { code, path: ['scope', field], message } };
}
