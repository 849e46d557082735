/** Assembles the canary jobs of queues. */
import { createPrincipal, never, type Principal } from '@rhizome/authz';
import { canaryOwner } from '../../jobs/model/canary-owner.js';
import { healthOf, type QueueHealth } from '../../workers/canaries/canary-plan.js';
import { CanaryRunner, type CanaryRunnerOptions } from '../../workers/canaries/canary-runner.js';
import type { HostBook } from '../../workers/hosts/host-book.js';
import type { CoreOptions } from '../core-config.js';
import type { Directories } from '../directories.js';
import type { FleetModule } from '../fleet.module.js';
import type { JobDomain } from '../job-domain.js';
import type { JobStores } from '../job-stores.repository.js';

/** Canary jobs of queues. */
export interface CanariesModule {
  readonly runner: CanaryRunner;
  /** Health of queues by id, in order; null for those that have and had no canary jobs. */
  readonly health: (queueIds: readonly string[]) => Promise<readonly (QueueHealth | null)[]>;
}

/** Parts of core that {@link canariesModule} needs. */
export interface CanariesModuleParts {
  readonly stores: Pick<JobStores, 'canaries' | 'jobs'>;
  /** Submits and cancels jobs; exists when the first canary job begins. */
  readonly domain: () => Pick<JobDomain, 'submits' | 'bulk'>;
  readonly queues: Directories['queues'];
  readonly book: HostBook;
  readonly fleet: Pick<FleetModule, 'leadership' | 'hostTests'>;
}

const resultFields = {
  state: 1,
  stateTimes: 1,
  error: 1,
  'attempts.startedAt': 1,
  'attempts.host': 1,
} as const;

/** Creates it; canary jobs begin when the runner starts. */
export function canariesModule(
  { clock, log, config }: Pick<CoreOptions, 'clock' | 'log' | 'config'>,
  { stores, domain, queues, book, fleet }: CanariesModuleParts,
): CanariesModule {
  const { canaries: repository, jobs } = stores;
  const { hostTests } = fleet;
  const runner = new CanaryRunner({
    ...{ repository, queues, clock, log, stepMs: config?.canaryStepMs },
    leader: fleet.leadership,
    hostsToTest: (queue) =>
      book.halfOpen(queue, clock.now().getTime()).filter((host) => !hostTests.isTested({ queue, host })),
    ...submitting(domain),
    jobs: (ids) => jobs.find(ids, resultFields),
  });
  hostTests.useCanaries((host) => runner.tests(host));
  return {
    runner,
    health: async (ids) => {
      const found = new Map((await repository.find(ids)).map((one) => [one._id, one]));
      return ids.map((id) => {
        const known = found.get(id);
        return known ? healthOf(known, clock.now()) : null;
      });
    },
  };
}

/** Core submits canary jobs as itself, in the experiment that the operator of the queue chose. */
function submitting(domain: CanariesModuleParts['domain']): Pick<CanaryRunnerOptions, 'submit' | 'cancel'> {
  return {
    async submit({ experiment, key, job }) {
      const input = { experiment, idempotencyKey: key, jobs: [job] };
      const { jobs, refusals } = await domain().submits.submit(coreIn(experiment), input);
      const jobId = jobs[0]?._id;
      if (jobId !== undefined) return { jobId };
      return { refusal: refusals.map(({ message }) => message).join('; ') };
    },
    async cancel(experiment, jobId, idempotencyKey) {
      const request = { selection: { ids: [jobId] }, parameters: {}, idempotencyKey };
      const result = await domain().bulk.change(coreIn(experiment), 'CANCEL', request);
      if ('userErrors' in result) throw new Error(result.userErrors.map(({ message }) => message).join('; '));
    },
  };
}

function coreIn(experiment: string): Principal {
  const grants = [{ experiment, roles: ['PRODUCTION'] as const }];
  return createPrincipal({ kind: 'SERVICE', subject: canaryOwner, grants, expiresAt: never });
}
