/** Small collections of core, held in memory. */
import { collection } from '@rhizome/mongo';
import type { Db } from 'mongodb';
import { accessGrantsCollection } from '../access/access-grant.document.js';
import { accessOwnersCollection } from '../access/access-owner.document.js';
import { AccessGrantsRepository } from '../access/access-grants.repository.js';
import { consentsCollection } from '../consents/consent.document.js';
import { ConsentsRepository } from '../consents/consents.repository.js';
import { experimentsCollection } from '../experiments/experiment.document.js';
import { ExperimentsRepository } from '../experiments/experiments.repository.js';
import { downtimesCollection } from '../queues/downtimes/downtime.document.js';
import { DowntimesRepository } from '../queues/downtimes/downtimes.repository.js';
import { PoliciesRepository } from '../policies/policies.repository.js';
import { policiesCollection, policyVersionsCollection } from '../policies/policy.document.js';
import { queuesCollection } from '../queues/queue.document.js';
import { QueuesRepository } from '../queues/queues.repository.js';
import { hostsCollection } from '../workers/hosts/host.document.js';
import { HostsRepository } from '../workers/hosts/hosts.repository.js';
import { secretsCollection } from '../secrets/secret.document.js';
import { SecretsRepository } from '../secrets/secrets.repository.js';
import { sharesCollection } from '../shares/share.document.js';
import { SharesRepository } from '../shares/shares.repository.js';
import { storagesCollection } from '../storages/storage.document.js';
import { StoragesRepository } from '../storages/storages.repository.js';

/** Collections of the directories. */
export const directoryCollections = [
  experimentsCollection,
  sharesCollection,
  queuesCollection,
  downtimesCollection,
  hostsCollection,
  accessGrantsCollection,
  accessOwnersCollection,
  policiesCollection,
  policyVersionsCollection,
  storagesCollection,
] as const;

/** Consents of people. */
export function consentStore(db: Db): ConsentsRepository {
  return new ConsentsRepository(collection(db, consentsCollection));
}

/** Secrets of users and experiments. */
export function secretStore(db: Db): SecretsRepository {
  return new SecretsRepository(collection(db, secretsCollection));
}

/** Repositories of the directories. */
export interface DirectoryStores {
  readonly experiments: ExperimentsRepository;
  readonly shares: SharesRepository;
  readonly queues: QueuesRepository;
  readonly downtimes: DowntimesRepository;
  readonly hosts: HostsRepository;
  readonly access: AccessGrantsRepository;
  readonly policies: PoliciesRepository;
  readonly storages: StoragesRepository;
}

/** Creates the repositories on one database. */
export function directoryStores(db: Db): DirectoryStores {
  return {
    experiments: new ExperimentsRepository(collection(db, experimentsCollection)),
    shares: new SharesRepository(collection(db, sharesCollection)),
    queues: new QueuesRepository(collection(db, queuesCollection)),
    downtimes: new DowntimesRepository(collection(db, downtimesCollection)),
    hosts: new HostsRepository(collection(db, hostsCollection)),
    access: new AccessGrantsRepository(db),
    policies: new PoliciesRepository(
      collection(db, policiesCollection),
      collection(db, policyVersionsCollection),
    ),
    storages: new StoragesRepository(collection(db, storagesCollection)),
  };
}
