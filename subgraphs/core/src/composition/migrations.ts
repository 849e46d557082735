/** Migrations that bring a database to the schema of this version, in order; each runs once. */
import { ensureCollections, type CollectionDefinition, type Migration } from '@rhizome/mongo';
import { accessGrantsCollection } from '../access/access-grant.document.js';
import { accessOwnersCollection } from '../access/access-owner.document.js';
import { consentsCollection } from '../consents/consent.document.js';
import { secretsCollection } from '../secrets/secret.document.js';
import { directoryCollections } from './directory-stores.repository.js';
import { eventCollections } from './event-stores.repository.js';
import { bulkOperationsCollection } from '../jobs/bulk/bulk-operation.document.js';
import { retryMembersCollection } from '../jobs/bulk/retry-member.document.js';
import { jobProgressCollection } from '../jobs/checkpoints/job-progress.document.js';
import { jobCollections } from './job-stores.repository.js';
import { listBulkCriteria } from '../jobs/bulk/bulk-criteria.repository.js';
import { fleetCollections } from './fleet.module.js';
import { experimentsCollection } from '../experiments/experiment.document.js';
import { jobFilesCollection } from '../files/job-files.document.js';
import { datasetCollections } from '../datasets/dataset-collections.js';
import { uploadPartsCollection, uploadsCollection } from '../files/uploads/upload.document.js';
import { storagesCollection } from '../storages/storage.document.js';
import { preemptionHoldsCollection } from '../scheduler/preemption/preemption-hold.document.js';
import { canariesCollection } from '../workers/canaries/canary.document.js';
import { classRecordsCollection } from '../workers/measured/class-record.document.js';
import { hostsCollection } from '../workers/hosts/host.document.js';
import { downtimesCollection } from '../queues/downtimes/downtime.document.js';
import { requirementClassesCollection } from '../jobs/model/requirement-class.document.js';
import { jobsCollection } from '../jobs/model/job.document.js';
import { policiesCollection, policyVersionsCollection } from '../policies/policy.document.js';
import { unitCollections } from '../units/unit-collections.js';
import { jobFleetCollections } from '../fleets/fleet-collections.js';
import { pilotCollections } from '../pilots/model/pilot.document.js';
import { workflowCollections } from '../workflows/workflow-collections.js';
import { tasksCollection } from '../tasks/task.document.js';
import { queuesCollection } from '../queues/queue.document.js';
import { renameReportVersions } from '../workers/report-versions.repository.js';

/** All collections of core. */
export const coreCollections: readonly CollectionDefinition[] = [
  ...directoryCollections,
  consentsCollection,
  secretsCollection,
  ...jobCollections,
  ...fleetCollections,
  ...eventCollections,
  ...unitCollections,
  ...workflowCollections,
  ...jobFleetCollections,
  ...pilotCollections,
  jobFilesCollection,
  ...datasetCollections,
  uploadsCollection,
  uploadPartsCollection,
] as readonly CollectionDefinition[];

/**
 * All migrations. A released one is never changed; the next one gets the next number. None inserts documents:
 * a new database is created in its newest form without them.
 */
export const coreMigrations: readonly Migration[] = [
  {
    id: '0001-initial-collections',
    up: async (db) => {
      await ensureCollections(db, coreCollections);
    },
  },
  {
    id: '0002-bulk-criteria-as-lists',
    up: listBulkCriteria,
  },
  {
    id: '0003-members-of-retries',
    up: async (db) => {
      await ensureCollections(db, [bulkOperationsCollection, retryMembersCollection]);
    },
  },
  {
    id: '0004-versions-of-reports',
    up: async (db) => {
      await ensureCollections(db, fleetCollections as readonly CollectionDefinition[]);
      await renameReportVersions(db);
    },
  },
  {
    id: '0005-workers-that-return',
    up: async (db) => {
      const changed = [queuesCollection, experimentsCollection, ...fleetCollections];
      await ensureCollections(db, changed as readonly CollectionDefinition[]);
    },
  },
  {
    id: '0006-batch-jobs-and-changed-experiments',
    up: async (db) => {
      const changed = [experimentsCollection, ...fleetCollections];
      await ensureCollections(db, changed as readonly CollectionDefinition[]);
    },
  },
  {
    id: '0007-access-grants',
    up: async (db) => {
      await ensureCollections(db, [accessGrantsCollection]);
    },
  },
  {
    id: '0008-downtimes-and-restarted-pilots',
    up: async (db) => {
      const changed = [downtimesCollection, ...fleetCollections];
      await ensureCollections(db, changed as readonly CollectionDefinition[]);
    },
  },
  {
    id: '0009-failure-policies',
    up: async (db) => {
      const changed = [policiesCollection, policyVersionsCollection, jobsCollection];
      await ensureCollections(db, changed as readonly CollectionDefinition[]);
    },
  },
  {
    id: '0010-commands-of-tasks',
    up: async (db) => {
      await ensureCollections(db, [tasksCollection]);
    },
  },
  {
    id: '0011-scouts-of-tasks',
    up: async (db) => {
      await ensureCollections(db, [tasksCollection]);
    },
  },
  {
    id: '0012-hosts',
    up: async (db) => {
      await ensureCollections(db, [hostsCollection]);
    },
  },
  {
    id: '0013-progress-of-jobs',
    up: async (db) => {
      await ensureCollections(db, [jobProgressCollection]);
    },
  },
  {
    id: '0014-notices',
    up: async (db) => {
      const changed = [queuesCollection, jobsCollection];
      await ensureCollections(db, changed as readonly CollectionDefinition[]);
    },
  },
  {
    id: '0015-limits-of-experiments-on-queues',
    up: async (db) => {
      await ensureCollections(db, [queuesCollection]);
    },
  },
  {
    id: '0016-owners-of-granted-jobs',
    up: async (db) => {
      await ensureCollections(db, [accessOwnersCollection]);
    },
  },
  {
    id: '0017-variants-of-tasks',
    up: async (db) => {
      await ensureCollections(db, [tasksCollection]);
    },
  },
  {
    id: '0018-changes-of-tasks',
    up: async (db) => {
      const changed = [tasksCollection, jobsCollection];
      await ensureCollections(db, changed as readonly CollectionDefinition[]);
    },
  },
  {
    id: '0019-work-units',
    up: async (db) => {
      await ensureCollections(db, unitCollections as readonly CollectionDefinition[]);
    },
  },
  {
    id: '0020-preemption',
    up: async (db) => {
      await ensureCollections(db, [queuesCollection], { repair: true });
    },
  },
  {
    // Migrations before this one left validators of the same version as they were.
    id: '0021-uncounted-ends-and-validators',
    up: async (db) => {
      await ensureCollections(db, coreCollections, { repair: true });
    },
  },
  {
    id: '0023-workflows',
    up: async (db) => {
      const changed = [jobsCollection, ...workflowCollections] as readonly CollectionDefinition[];
      await ensureCollections(db, changed, { repair: true });
    },
  },
  {
    id: '0024-wasted-attempts-of-hosts',
    up: async (db) => {
      await ensureCollections(db, [hostsCollection]);
    },
  },
  {
    id: '0025-workflows-in-parts',
    up: async (db) => {
      await ensureCollections(db, workflowCollections as readonly CollectionDefinition[], { repair: true });
    },
  },
  {
    id: '0026-fleets',
    up: async (db) => {
      const changed = [jobsCollection, ...jobFleetCollections] as readonly CollectionDefinition[];
      await ensureCollections(db, changed, { repair: true });
    },
  },
  {
    id: '0027-canary-jobs-and-holds',
    up: async (db) => {
      const changed = [queuesCollection, canariesCollection, preemptionHoldsCollection];
      await ensureCollections(db, changed as readonly CollectionDefinition[]);
    },
  },
  {
    id: '0028-storages-and-files-of-jobs',
    up: async (db) => {
      const added = [storagesCollection, jobFilesCollection];
      await ensureCollections(db, added as readonly CollectionDefinition[]);
    },
  },
  {
    id: '0029-uploads',
    up: async (db) => {
      const changed = [jobsCollection, uploadsCollection, uploadPartsCollection];
      await ensureCollections(db, changed as readonly CollectionDefinition[], { repair: true });
    },
  },
  {
    id: '0031-workflows-that-grow',
    up: async (db) => {
      await ensureCollections(db, workflowCollections as readonly CollectionDefinition[], { repair: true });
    },
  },
  {
    id: '0032-pilots',
    up: async (db) => {
      await ensureCollections(db, pilotCollections as readonly CollectionDefinition[]);
    },
  },
  {
    id: '0033-datasets',
    up: async (db) => {
      const changed = [tasksCollection, ...datasetCollections] as readonly CollectionDefinition[];
      await ensureCollections(db, changed, { repair: true });
    },
  },
  {
    id: '0034-records-and-expiry-of-classes',
    up: async (db) => {
      const changed = [classRecordsCollection, requirementClassesCollection];
      await ensureCollections(db, changed as readonly CollectionDefinition[]);
    },
  },
  {
    id: '0039-deletion-of-files',
    up: async (db) => {
      const changed = [...datasetCollections, ...workflowCollections] as readonly CollectionDefinition[];
      await ensureCollections(db, changed, { repair: true });
    },
  },
  {
    id: '0041-sub-graphs-of-workflows',
    up: async (db) => {
      await ensureCollections(db, workflowCollections as readonly CollectionDefinition[], { repair: true });
    },
  },
];
