/** Assembles the deletion of files: policies, deletions by hand, and the work of the leader. */
import type { Clock, Ids } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import { DeletionMarker } from '../../datasets/deletion/deletion-marker.js';
import { DeletionWork, type DeletionWorkOptions } from '../../datasets/deletion/deletion-work.js';
import { FileDeletionsService } from '../../datasets/deletion/file-deletions.service.js';
import { FilePoliciesService } from '../../datasets/deletion/file-policies.service.js';
import { FileUsers, type FileUseSources } from '../../datasets/deletion/file-users.js';
import { PolicyScan } from '../../datasets/deletion/policy-scan.js';
import { PolicyWork } from '../../datasets/deletion/policy-work.js';
import type { LeaderWork } from '../../shared/leader-task.js';
import type { StorageDocument } from '../../storages/storage.document.js';
import type { DatasetStores } from './dataset-stores.repository.js';
import type { WaitingUses } from './waiting-uses.js';

/** Dependencies of {@link deletionModule}. */
export interface DeletionModuleOptions {
  readonly stores: DatasetStores;
  readonly experimentExists: (name: string) => Promise<boolean>;
  /** Names of all experiments. */
  readonly experimentNames: () => Promise<readonly string[]>;
  /** Storages that an experiment uses, as stored now. */
  readonly storages: (experiment: string) => Promise<readonly StorageDocument[]>;
  readonly allStorages: DeletionWorkOptions['storages'];
  readonly open: DeletionWorkOptions['open'];
  readonly waiting: WaitingUses;
  /** Id of a task that will read files of a dataset. */
  readonly readingTask: (datasetId: string) => Promise<string | undefined>;
  readonly onReplicas: (datasetId: string) => Promise<void>;
  readonly leader: LeaderWork;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Logger;
  /** Interval of the work of the leader in milliseconds; defaults to 3000. */
  readonly everyMs?: number | undefined;
}

/** The deletion of files with its background work. */
export interface DeletionModule {
  readonly policies: FilePoliciesService;
  readonly deletions: FileDeletionsService;
  start(): void;
  stop(): Promise<void>;
}

/** Creates the services. */
export function deletionModule(options: DeletionModuleOptions): DeletionModule {
  const { stores, storages, experimentExists, onReplicas, leader, clock, ids, log, everyMs = 3000 } = options;
  const { datasets, files, deletions, policies } = stores;
  const users = new FileUsers(sourcesOf(options));
  const marker = new DeletionMarker({ files, users, clock });
  const scan = new PolicyScan({ datasets, deletions, storages, clock });
  const work = new DeletionWork({
    ...{ deletions, files, datasets, users, leader, clock, log, everyMs },
    ...{ onReplicas, storages: options.allStorages, open: options.open },
  });
  const policyWork = new PolicyWork({ policies, scan, marker, leader, clock, log, everyMs });
  return {
    policies: new FilePoliciesService({
      ...{ policies, datasets, scan, marker, storages, experimentExists, clock, ids },
    }),
    deletions: new FileDeletionsService({
      ...{ datasets, files, deletions, marker, storages, onReplicas, clock },
    }),
    start() {
      work.start();
      policyWork.start();
    },
    async stop() {
      await Promise.all([work.stop(), policyWork.stop()]);
    },
  };
}

function sourcesOf({ stores, waiting, readingTask, experimentNames }: DeletionModuleOptions): FileUseSources {
  const { files, deletionJobs } = stores;
  return {
    ...{ waiting: waiting.waiting, waitingNodes: waiting.waitingNodes, readingTask },
    filesAt: (locations) => files.at(locations),
    liveJobs: (...sought) => deletionJobs.users(...sought),
    liveWorkflows: async (jobIds) => {
      const found = [...(await deletionJobs.workflowsOf(jobIds))];
      const unended = await waiting.unendedAmong(found.map(([, workflowId]) => workflowId));
      return new Map(found.filter(([, workflowId]) => unended.has(workflowId)));
    },
    experiments: experimentNames,
  };
}
