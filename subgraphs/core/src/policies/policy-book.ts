/** The enabled policies of jobs, prepared for matching. */
import { compilePolicy, type CompiledPolicy } from './compiled-policy.js';
import { type EnabledPolicy, policyId } from './policy.document.js';
import type { PolicyScope } from './policy.types.js';

/** Facts of a job that select its policies. */
export interface GovernedJob {
  readonly experiment: string;
  readonly taskId?: string | undefined;
  /** Name of the queue. */
  readonly queue?: string | undefined;
}

/** Finds the policies of jobs. */
export interface PolicyBook {
  /** Policies of a job: of its task, its queue, its experiment. */
  of(job: GovernedJob): readonly CompiledPolicy[];
}

/** Opens books. */
export interface PolicyBooks {
  /** A book of the policies that apply now to jobs of the given tasks, in any queue. */
  bookFor(jobs: readonly Pick<GovernedJob, 'taskId'>[]): Promise<PolicyBook>;
}

/** Enabled policies by id. */
interface EnabledPolicies {
  /** Of an experiment or queue. */
  peek(id: string): EnabledPolicy | undefined;
  ofTasks(ids: Iterable<string>): Promise<ReadonlyMap<string, EnabledPolicy>>;
}

const compiled = new WeakMap<EnabledPolicy, CompiledPolicy>();

/** Books from the memory of this process. */
export function policyBooks(policies: EnabledPolicies): PolicyBooks {
  return {
    async bookFor(jobs) {
      const tasks = new Set<string>();
      for (const { taskId } of jobs) if (taskId !== undefined) tasks.add(policyId(taskOf(taskId)));
      const ofTasks = tasks.size === 0 ? undefined : await policies.ofTasks(tasks);
      return {
        of: (job) =>
          scopesOf(job).flatMap((scope) => {
            const id = policyId(scope);
            const enabled = scope.kind === 'TASK' ? ofTasks?.get(id) : policies.peek(id);
            return enabled ? [compiledOf(id, enabled)] : [];
          }),
      };
    },
  };
}

/** The same policies with one of them replaced, whether it is enabled or not. */
export function bookWith(book: PolicyBook, tried: CompiledPolicy): PolicyBook {
  return {
    of: (job) => {
      const enabled = new Map(book.of(job).map((policy) => [policy.id, policy]));
      return scopesOf(job).flatMap((scope) => {
        const id = policyId(scope);
        const policy = id === tried.id ? tried : enabled.get(id);
        return policy ? [policy] : [];
      });
    },
  };
}

/** The most specific first. */
function scopesOf({ experiment, taskId, queue }: GovernedJob): readonly PolicyScope[] {
  return [
    ...(taskId === undefined ? [] : [taskOf(taskId)]),
    ...(queue === undefined ? [] : [{ kind: 'QUEUE' as const, name: queue }]),
    { kind: 'EXPERIMENT', name: experiment },
  ];
}

function taskOf(name: string): PolicyScope {
  return { kind: 'TASK', name };
}

function compiledOf(id: string, enabled: EnabledPolicy): CompiledPolicy {
  let policy = compiled.get(enabled);
  if (!policy) compiled.set(enabled, (policy = compilePolicy(id, enabled.version, enabled.content)));
  return policy;
}
