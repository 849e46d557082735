/** The stores of broker and workers in core's database. */
import { collection } from '@rhizome/mongo';
import type { Db } from 'mongodb';
import { BrokerJobsRepository } from '../broker/broker-jobs.repository.js';
import { BrokerLeaseRepository } from '../broker/broker-lease.repository.js';
import { RequirementClassesRepository } from '../broker/requirement-classes.repository.js';
import type { StoreTime } from '../broker/store-time.js';
import { jobsCollection } from '../jobs/job.document.js';
import { requirementClassesCollection } from '../jobs/requirement-class.document.js';
import { LeasesRepository } from './leases.repository.js';
import { brokerLeaseCollection, leasesCollection, workersCollection } from './worker.document.js';
import { WorkersRepository } from './workers.repository.js';

/** Core's database. */
export type FleetDatabase = Db;

/** See the head of this file. */
export interface FleetStores {
  readonly jobs: BrokerJobsRepository;
  readonly classes: RequirementClassesRepository;
  readonly workers: WorkersRepository;
  readonly leases: LeasesRepository;
  readonly brokerLease: BrokerLeaseRepository;
}

/** @param ttlMs how long the broker's lease lasts */
export function fleetStores(db: FleetDatabase, storeTime: StoreTime, ttlMs: number): FleetStores {
  return {
    jobs: new BrokerJobsRepository(collection(db, jobsCollection)),
    classes: new RequirementClassesRepository(collection(db, requirementClassesCollection)),
    workers: new WorkersRepository(collection(db, workersCollection), storeTime),
    leases: new LeasesRepository(collection(db, leasesCollection), storeTime),
    brokerLease: new BrokerLeaseRepository(collection(db, brokerLeaseCollection), storeTime, ttlMs),
  };
}
