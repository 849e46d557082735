/** Assembles the watch over hosts, what is measured for classes there, and the service of hosts. */
import { createPrincipal, never } from '@rhizome/authz';
import type { BulkService } from '../jobs/bulk/bulk.service.js';
import type { HostRetry } from '../workers/hosts/host.document.js';
import type { FleetModule } from './fleet.module.js';
import type { Directories } from './directories.js';
import type { HostBook } from '../workers/hosts/host-book.js';
import { defaultHostLimits, judge, type HostLimits } from '../workers/hosts/host-state.js';
import { HostWatch, type HostWatchOptions } from '../workers/hosts/host-watch.js';
import { WastedAttempts, type WastedAttemptsOptions } from '../workers/hosts/wasted-attempts.js';
import { ClassRecordWork } from '../workers/measured/class-record-work.js';
import type { ClassRecordsRepository } from '../workers/measured/class-records.repository.js';
import type { HostsRepository } from '../workers/hosts/hosts.repository.js';
import { type HostLoad, HostsService } from '../workers/hosts/hosts.service.js';
import type { QueueHost } from '../scheduler/cache/host-standing.types.js';

/** Hosts that are not healthy. */
export interface HostsModule {
  readonly watch: HostWatch;
  readonly measuring: ClassRecordWork;
  readonly service: HostsService;
}

/** Dependencies of {@link hostsModule}. */
export interface HostsModuleOptions extends Pick<HostWatchOptions, 'stream' | 'consumers' | 'clock' | 'log'> {
  readonly repository: HostsRepository;
  readonly records: ClassRecordsRepository;
  readonly book: HostBook;
  readonly wasted: WastedAttemptsOptions['jobs'];
  /** Retries jobs; exists when the first host is judged. */
  readonly bulk: () => Pick<BulkService, 'change'>;
  readonly queues: Directories['queues'];
  readonly fleet: Pick<FleetModule, 'services' | 'leadership' | 'hostTests'>;
  /** Limits, where they differ from the defaults. */
  readonly limits?: Partial<HostLimits> | undefined;
}

/** Creates them; judging starts when the `watch` does. */
export function hostsModule({
  queues,
  fleet,
  limits,
  wasted: jobs,
  bulk,
  records,
  ...shared
}: HostsModuleOptions): HostsModule {
  const { cache } = fleet.services;
  const { repository, clock, log } = shared;
  const retry = (one: HostRetry): Promise<void> => retryFailed(bulk(), one);
  return {
    watch: new HostWatch({
      ...shared,
      leader: fleet.leadership,
      tests: fleet.hostTests,
      wasted: new WastedAttempts({ hosts: repository, jobs, retry, clock, log }),
      whereIs: (workerId) => {
        const worker = cache.fleet.worker(workerId);
        return worker && { host: worker.facts.host, site: worker.shape.queue.site };
      },
      limits: { ...defaultHostLimits, ...limits },
    }),
    measuring: new ClassRecordWork({ ...shared, records, leader: fleet.leadership }),
    service: new HostsService({ ...shared, queues, loadOf: (host) => loadOf(cache, host) }),
  };
}

/**
 * Retries jobs with the dependents that were closed because of them, in the name of core. A repetition finds
 * the operation by its key.
 */
async function retryFailed(bulk: Pick<BulkService, 'change'>, { id, jobs }: HostRetry): Promise<void> {
  for (const experiment of new Set(jobs.map((job) => job.experiment))) {
    const grants = [{ experiment, roles: ['PRODUCTION'] as const }];
    const principal = createPrincipal({ kind: 'SERVICE', subject: judge, grants, expiresAt: never });
    const ids = jobs.filter((job) => job.experiment === experiment).map((job) => job.id);
    const result = await bulk.change(principal, 'RETRY', {
      selection: { ids },
      parameters: { includeDependents: true, unlessRetried: true },
      idempotencyKey: `${id}:${experiment}`,
    });
    if ('userErrors' in result) throw new Error(result.userErrors.map(({ message }) => message).join('; '));
  }
}

function loadOf({ fleet, ledger }: FleetModule['services']['cache'], host: QueueHost): HostLoad {
  let [workerCount, runningJobCount] = [0, 0];
  for (const { facts } of fleet.workersOf(host)) {
    workerCount += 1;
    runningJobCount += ledger.jobsOf(facts.id).size;
  }
  return { workerCount, runningJobCount };
}
