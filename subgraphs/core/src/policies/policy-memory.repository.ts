/**
 * The enabled policies that a process has in memory: all of experiments and queues, and those of tasks that
 * were needed lately. It follows the store by notices of the change stream.
 */
import type { Collection } from 'mongodb';
import { Directory } from '../shared/directory.repository.js';
import { type EnabledPolicy, type PolicyDocument, policyId } from './policy.document.js';
import { TaskPolicies } from './task-policies.repository.js';

const ofTask = policyId({ kind: 'TASK', name: '' });

/** Policies in memory. */
export class PolicyMemory {
  readonly #shared: Directory<PolicyDocument>;
  readonly #ofTasks: TaskPolicies;

  constructor(policies: Collection<PolicyDocument>, ofTasks = new TaskPolicies(policies)) {
    this.#shared = new Directory(policies, { kind: { $in: ['EXPERIMENT', 'QUEUE'] } });
    this.#ofTasks = ofTasks;
  }

  /** Name of the collection, as in notices. */
  get name(): string {
    return this.#shared.name;
  }

  /** Reads the policies of experiments and queues, and which tasks have one. */
  async load(): Promise<void> {
    await Promise.all([this.#shared.load(), this.#ofTasks.load()]);
  }

  /** Reads these policies again. */
  async refresh(ids: readonly string[]): Promise<void> {
    const tasks = ids.filter((id) => id.startsWith(ofTask));
    const shared = ids.filter((id) => !id.startsWith(ofTask));
    await Promise.all([
      this.#ofTasks.refresh(tasks),
      ...(shared.length > 0 ? [this.#shared.refresh(shared)] : []),
    ]);
  }

  /** Records a policy that was just written. */
  set(policy: PolicyDocument): void {
    if (policy.kind === 'TASK') this.#ofTasks.set(policy);
    else this.#shared.set(policy);
  }

  /** Enabled policy of an experiment or queue. */
  peek(id: string): EnabledPolicy | undefined {
    return this.#shared.peek(id)?.enabled;
  }

  /** Enabled policies of tasks by id of the policy, for those that have one. */
  ofTasks(ids: Iterable<string>): Promise<ReadonlyMap<string, EnabledPolicy>> {
    return this.#ofTasks.find(ids);
  }
}
