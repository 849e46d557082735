/** Assembles files of jobs: the addresses of storages, and the work that removes what nobody needs. */
import type { Clock, Ids } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import type { FileServices } from '../../files/file-services.types.js';
import { FileSigner } from '../../files/file-signer.js';
import { FileSigning } from '../../files/file-signing.service.js';
import { defaultFiles, type FilesConfig } from '../../files/files-config.js';
import { FilesUpkeep } from '../../files/files-upkeep.js';
import type { SiteOf } from '../../files/input-sources.js';
import { NodeReads, type NodeReadsOptions } from '../../files/node-reads.js';
import { OpenStorages } from '../../files/open-storages.js';
import { OutputFiles } from '../../files/output-files.js';
import { defaultUploads } from '../../files/uploads/uploads-config.js';
import { UploadLimits } from '../../files/uploads/upload-limits.js';
import { UploadUses } from '../../files/uploads/upload-uses.js';
import { UploadsService } from '../../files/uploads/uploads.service.js';
import { userOfUpload, type WaitingUserOf } from '../../files/uploads/user-of-upload.js';
import { UploadsUpkeep } from '../../files/uploads/uploads-upkeep.js';
import type { StoragesService } from '../../storages/storages.service.js';
import type { FleetModule } from '../fleet.module.js';
import type { JobStores } from '../job-stores.repository.js';
import type { FileStores } from './file-stores.repository.js';

/** Dependencies of {@link filesModule}. */
export interface FilesModuleOptions {
  readonly stores: Pick<JobStores, 'jobs'>;
  readonly files: FileStores;
  readonly storages: StoragesService;
  readonly experimentExists: (name: string) => Promise<boolean>;
  readonly fleet: FleetModule;
  /** Workflows with their nodes. */
  readonly graphs: NodeReadsOptions;
  /** Task, fleet or workflow with jobs that do not exist yet and will use an upload, as text. */
  readonly waitingUserOf: WaitingUserOf;
  /** Site of a queue in memory. */
  readonly siteOf: SiteOf;
  readonly config: Partial<FilesConfig> | undefined;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Logger;
}

/** Files of jobs with their background work. */
export interface FilesModule {
  readonly services: FileServices;
  /** Providers of storages. */
  readonly opened: Pick<OpenStorages, 'of'>;
  /** Looks up uploads for jobs. */
  readonly uploadUses: UploadUses;
  /** Starts the background work, which runs on the leader. */
  start(): void;
  stop(): Promise<void>;
}

/** Creates the services of files. */
export function filesModule(options: FilesModuleOptions): FilesModule {
  const { stores, storages, experimentExists, fleet, siteOf, clock, ids, log } = options;
  const { files, uploads, uploadParts: parts, uploadUsers } = options.files;
  const { credentialFolder, addressSeconds, removeAfterSeconds, everyMs, ...config } = {
    ...defaultFiles,
    ...options.config,
  };
  const limits = { ...defaultUploads, ...config.uploads };
  const { keepDays } = limits;
  const { jobs } = stores;
  const userOf = userOfUpload(uploadUsers, options.waitingUserOf);
  const uploadUses = new UploadUses({ uploads, keepDays, clock });
  const opened = new OpenStorages({ credentialFolder, clock, log });
  const signer = new FileSigner({ storages: opened, addressSeconds, clock, log });
  const { holder } = fleet.services;
  const signing = new FileSigning({
    ...{ holder, jobs, storages, files, signer, clock, siteOf, uploads: uploadUses },
    nodeReads: new NodeReads(options.graphs),
    lookAfterSeconds: removeAfterSeconds,
  });
  const upkeep = new FilesUpkeep({
    ...{ files, jobs, storages, opened, clock, log, removeAfterSeconds, everyMs },
    leader: fleet.leadership,
  });
  const uploadsUpkeep = new UploadsUpkeep({
    ...{ uploads, parts, userOf, storages, opened, clock, log, everyMs },
    leader: fleet.leadership,
  });
  const uploadsService = new UploadsService({
    ...{ uploads, parts, storages, opened, signer, experimentExists, keepDays, addressSeconds, clock, ids },
    limits: new UploadLimits({ uploads, parts, limits, clock }),
    userOf,
  });
  return {
    services: { signing, outputs: new OutputFiles({ storages, signer, clock }), uploads: uploadsService },
    ...{ uploadUses, opened },
    start() {
      upkeep.start();
      uploadsUpkeep.start();
    },
    async stop() {
      await Promise.all([upkeep.stop(), uploadsUpkeep.stop()]);
      await opened.close();
    },
  };
}
