/** Stores of scheduler and workers in core's database. */
import { collection } from '@rhizome/mongo';
import type { Db } from 'mongodb';
import { ReadyJobsRepository } from '../scheduler/cache/ready-jobs.repository.js';
import { SchedulerJobsRepository } from '../scheduler/cache/scheduler-jobs.repository.js';
import { BrokerLeaseRepository } from '../scheduler/leader/broker-lease.repository.js';
import { preemptionHoldsCollection } from '../scheduler/preemption/preemption-hold.document.js';
import { PreemptionHoldsRepository } from '../scheduler/preemption/preemption-holds.repository.js';
import { RequirementClassesRepository } from '../scheduler/requirements/requirement-classes.repository.js';
import type { StoreTime } from '../shared/store-time.js';
import { jobProgressCollection } from '../jobs/checkpoints/job-progress.document.js';
import { JobProgressRepository } from '../jobs/checkpoints/job-progress.repository.js';
import { jobsCollection } from '../jobs/model/job.document.js';
import { requirementClassesCollection } from '../jobs/model/requirement-class.document.js';
import { LeasesRepository } from '../workers/leases/leases.repository.js';
import { SupersededAttemptsRepository } from '../workers/adoption/superseded-attempts.repository.js';
import { UnreachableLeasesRepository } from '../workers/leases/unreachable-leases.repository.js';
import { brokerLeaseCollection, leasesCollection, workersCollection } from '../workers/worker.document.js';
import { EndedLeasesRepository } from '../workers/lease-clock/ended-leases.repository.js';
import {
  gatewayReportsCollection,
  leaseClockCollection,
} from '../workers/lease-clock/lease-clock.document.js';
import { LeaseClockRepository } from '../workers/lease-clock/lease-clock.repository.js';
import { classRecordsCollection } from '../workers/measured/class-record.document.js';
import { ClassRecordsRepository } from '../workers/measured/class-records.repository.js';
import { WorkersRepository } from '../workers/workers.repository.js';

/** Core's database. */
export type FleetDatabase = Db;

/** Stores of scheduler and workers. */
export interface FleetStores {
  readonly jobs: SchedulerJobsRepository;
  readonly readyJobs: ReadyJobsRepository;
  readonly classes: RequirementClassesRepository;
  readonly classRecords: ClassRecordsRepository;
  readonly workers: WorkersRepository;
  readonly leases: LeasesRepository;
  readonly unreachable: UnreachableLeasesRepository;
  readonly superseded: SupersededAttemptsRepository;
  readonly brokerLease: BrokerLeaseRepository;
  readonly endedLeases: EndedLeasesRepository;
  readonly leaseClock: LeaseClockRepository;
  readonly progress: JobProgressRepository;
  readonly holds: PreemptionHoldsRepository;
}

/** @param ttlMs duration of the broker's lease */
export function fleetStores(db: FleetDatabase, storeTime: StoreTime, ttlMs: number): FleetStores {
  return {
    jobs: new SchedulerJobsRepository(collection(db, jobsCollection)),
    readyJobs: new ReadyJobsRepository(collection(db, jobsCollection)),
    classes: new RequirementClassesRepository(collection(db, requirementClassesCollection)),
    classRecords: classRecordStore(db),
    workers: new WorkersRepository(collection(db, workersCollection), storeTime),
    leases: new LeasesRepository(collection(db, leasesCollection), storeTime),
    unreachable: new UnreachableLeasesRepository(collection(db, leasesCollection), storeTime),
    superseded: new SupersededAttemptsRepository(db),
    brokerLease: new BrokerLeaseRepository(collection(db, brokerLeaseCollection), storeTime, ttlMs),
    endedLeases: new EndedLeasesRepository(collection(db, leasesCollection), storeTime),
    leaseClock: new LeaseClockRepository(
      collection(db, leaseClockCollection),
      collection(db, gatewayReportsCollection),
      collection(db, leasesCollection),
      storeTime,
    ),
    progress: new JobProgressRepository(collection(db, jobProgressCollection)),
    holds: new PreemptionHoldsRepository(collection(db, preemptionHoldsCollection)),
  };
}

/** Records of classes. */
export function classRecordStore(db: FleetDatabase): ClassRecordsRepository {
  return new ClassRecordsRepository(collection(db, classRecordsCollection));
}
