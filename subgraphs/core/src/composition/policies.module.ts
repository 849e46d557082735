/** Assembles policies for failed attempts. */
import type { Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import { PlannedEnds } from '../jobs/checkpoints/planned-ends.js';
import type { Logger } from '@rhizome/log';
import { type AmountOffers, FailurePolicies, type RuleEffects } from '../policies/failure-policies.js';
import type { StateCounts } from '../jobs/ports.js';
import { PoliciesService } from '../policies/policies.service.js';
import type { PoliciesRepository } from '../policies/policies.repository.js';
import { policyBooks } from '../policies/policy-book.js';
import { PolicyScopes, type PolicyTask } from '../policies/policy-scopes.js';
import { SimulationsService } from '../policies/simulation/simulations.service.js';
import type { Directories } from './directories.js';
import type { JobStores } from './job-stores.repository.js';

/** Dependencies of {@link policiesModule}. */
export interface PoliciesModuleOptions {
  readonly repository: PoliciesRepository;
  readonly directories: Pick<Directories, 'experiments' | 'queues'>;
  /** Tasks by id that a principal may see. */
  readonly tasks: (id: string, principal: Principal) => Promise<readonly (PolicyTask | null)[]>;
  readonly stores: Pick<JobStores, 'logs' | 'classes' | 'simulations' | 'checkpoints'>;
  /** Amounts that workers offer to jobs. */
  readonly offers: AmountOffers;
  /** Number of jobs of a task by state; undefined if unknown. */
  readonly taskStates: (taskId: string) => StateCounts | undefined;
  readonly effects: RuleEffects;
  readonly log: Logger;
  readonly clock: Clock;
}

/** Policies of one process. */
export interface PoliciesModule {
  readonly service: PoliciesService;
  readonly simulations: SimulationsService;
  readonly failures: FailurePolicies;
}

/** Builds the domain. */
export function policiesModule({
  repository,
  directories: { experiments, queues },
  tasks,
  stores: { logs, classes, simulations, checkpoints },
  offers,
  taskStates,
  effects,
  log,
  clock,
}: PoliciesModuleOptions): PoliciesModule {
  const scopes = new PolicyScopes({
    experimentExists: async (name) => (await experiments.find(name)) !== null,
    visibleQueue: async (name, principal) => {
      const [queue = null] = await queues.byNames([name]);
      return queues.visible(queue, principal);
    },
    visibleQueues: (principal) =>
      queues.all().flatMap((queue) => (queues.isVisible(queue, principal) ? [queue.name] : [])),
    visibleTask: async (id, principal) => (await tasks(id, principal))[0] ?? null,
  });
  const books = policyBooks(repository.directory);
  return {
    service: new PoliciesService({ repository, scopes, clock }),
    simulations: new SimulationsService({
      repository,
      jobs: simulations,
      scopes,
      books,
      logs,
      queueId: async (name) => (await queues.byNames([name]))[0]?._id ?? null,
      queueName: (id) => queues.peek(id)?.name,
      clock,
    }),
    failures: new FailurePolicies({
      ...{ books, logs, classes, offers, taskStates, effects, log, clock },
      plannedEnds: new PlannedEnds(checkpoints),
    }),
  };
}
