/** Assembles the canary jobs of queues. */
import { createPrincipal, never, type Principal } from '@rhizome/authz';
import { type DomainError, isDomainError } from '@rhizome/errors';
import { canaryOwner } from '../../jobs/model/canary-owner.js';
import { healthOf, type QueueHealth } from '../../workers/canaries/canary-plan.js';
import {
  CanaryRunner,
  type CanaryRunnerOptions,
  type FoundHost,
} from '../../workers/canaries/canary-runner.js';
import type { HostBook } from '../../workers/hosts/host-book.js';
import type { Fleet } from '../../scheduler/cache/fleet.js';
import { hostKeyOf, queueHostOf } from '../../scheduler/cache/host-standing.types.js';
import type { HostTests } from '../../scheduler/dispatch/host-tests.js';
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
  readonly fleet: Pick<FleetModule, 'leadership' | 'hostTests' | 'services'>;
}

const resultFields = {
  state: 1,
  stateTimes: 1,
  error: 1,
  'attempts.startedAt': 1,
  'attempts.host': 1,
  'transitions.actor': 1,
} as const;

/** Creates it; canary jobs begin when the runner starts. */
export function canariesModule(
  { clock, log, config }: Pick<CoreOptions, 'clock' | 'log' | 'config'>,
  { stores, domain, queues, book, fleet }: CanariesModuleParts,
): CanariesModule {
  const { canaries: repository, jobs } = stores;
  const { hostTests, services } = fleet;
  const runner = new CanaryRunner({
    ...{ repository, queues, clock, log, stepMs: config?.canaryStepMs },
    leader: fleet.leadership,
    halfOpen: () => halfOpenHosts(book.halfOpen(clock.now().getTime()), hostTests, services.cache.fleet),
    ...submitting(domain),
    jobs: (ids) => jobs.find(ids, resultFields),
  });
  hostTests.useCanaries({
    onlyUntil: (host) => runner.onlyUntil(host),
    hostProblem: (queue) => runner.hostProblem(queue),
  });
  return {
    runner,
    health: async (ids) => {
      const found = new Map((await repository.find(ids)).map((one) => [one._id, one]));
      return ids.map((id) => {
        const known = found.get(id);
        return known ? healthOf(known, queues.peek(id)?.canary !== undefined, clock.now()) : null;
      });
    },
  };
}

/** HALF_OPEN hosts by queue, with whether they have a READY worker. */
function halfOpenHosts(
  found: ReturnType<HostBook['halfOpen']>,
  tests: Pick<HostTests, 'isTested'>,
  fleet: Pick<Fleet, 'workers'>,
): ReadonlyMap<string, readonly FoundHost[]> {
  const byQueue = new Map<string, FoundHost[]>();
  if (found.length === 0) return byQueue;
  const ready = new Set<string>();
  for (const worker of fleet.workers())
    if (worker.facts.state === 'READY') ready.add(hostKeyOf(queueHostOf(worker)));
  for (const { queue, host, since } of found) {
    const place = { queue, host };
    const isReady = ready.has(hostKeyOf(place));
    const hosts = byQueue.get(queue) ?? [];
    hosts.push({ host, since, isReady, isTested: tests.isTested(place) });
    byQueue.set(queue, hosts);
  }
  return byQueue;
}

/** True for an error with which the submit has reserved nothing, and which a repetition may not mend soon. */
function isRefusal(error: unknown): error is DomainError {
  return isDomainError(error) && (error.retry === 'never' || error.code === 'LIMIT_EXCEEDED');
}

/** Core submits canary jobs as itself, in the experiment that the operator of the queue chose. */
function submitting(domain: CanariesModuleParts['domain']): Pick<CanaryRunnerOptions, 'submit' | 'cancel'> {
  return {
    async submit({ experiment, key, job }) {
      const input = { experiment, idempotencyKey: key, jobs: [job] };
      try {
        const { jobs, refusals } = await domain().submits.submit(coreIn(experiment), input);
        const jobId = jobs[0]?._id;
        return jobId === undefined ? { refusal: textOf(refusals) } : { jobId };
      } catch (error) {
        if (isRefusal(error)) return { refusal: error.message };
        throw error;
      }
    },
    async cancel(experiment, jobId) {
      // Without a key: a repetition must not get the recorded refusal again.
      const request = { selection: { ids: [jobId] }, parameters: {} };
      const result = await domain().bulk.change(coreIn(experiment), 'CANCEL', request);
      if ('userErrors' in result) throw new Error(textOf(result.userErrors));
      const { changedCount, refusals } = result.answer;
      if (changedCount === 0) throw new Error(textOf(refusals));
    },
  };
}

function textOf(refusals: readonly { readonly message: string }[]): string {
  return refusals.map(({ message }) => message).join('; ');
}

function coreIn(experiment: string): Principal {
  const grants = [{ experiment, roles: ['PRODUCTION'] as const }];
  return createPrincipal({ kind: 'SERVICE', subject: canaryOwner, grants, expiresAt: never });
}
