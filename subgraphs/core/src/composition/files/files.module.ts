/** Assembles files of jobs: the addresses of storages, and the work that removes what nobody needs. */
import type { Clock } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import type { FileServices } from '../../files/file-services.types.js';
import { FileSigner } from '../../files/file-signer.js';
import { FileSigning } from '../../files/file-signing.service.js';
import { defaultFiles, type FilesConfig } from '../../files/files-config.js';
import { FilesUpkeep } from '../../files/files-upkeep.js';
import type { JobFilesRepository } from '../../files/job-files.repository.js';
import { OpenStorages } from '../../files/open-storages.js';
import { OutputFiles } from '../../files/output-files.js';
import type { StoragesService } from '../../storages/storages.service.js';
import type { FleetModule } from '../fleet.module.js';
import type { JobStores } from '../job-stores.repository.js';

/** Dependencies of {@link filesModule}. */
export interface FilesModuleOptions {
  readonly stores: Pick<JobStores, 'jobs'>;
  readonly files: JobFilesRepository;
  readonly storages: StoragesService;
  readonly fleet: FleetModule;
  readonly config: Partial<FilesConfig> | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Files of jobs with their background work. */
export interface FilesModule {
  readonly services: FileServices;
  /** Starts the background work, which runs on the leader. */
  start(): void;
  stop(): Promise<void>;
}

/** Creates the services of files. */
export function filesModule(options: FilesModuleOptions): FilesModule {
  const { stores, files, storages, fleet, clock, log } = options;
  const { credentialFolder, addressSeconds, removeAfterSeconds, everyMs } = {
    ...defaultFiles,
    ...options.config,
  };
  const { jobs } = stores;
  const opened = new OpenStorages({ credentialFolder, clock, log });
  const signer = new FileSigner({ storages: opened, addressSeconds, clock, log });
  const { holder } = fleet.services;
  const signing = new FileSigning({
    ...{ holder, jobs, storages, files, signer, clock },
    lookAfterSeconds: removeAfterSeconds,
  });
  const upkeep = new FilesUpkeep({
    ...{ files, jobs, storages, opened, clock, log, removeAfterSeconds, everyMs },
    leader: fleet.leadership,
  });
  return {
    services: { signing, outputs: new OutputFiles({ storages, signer }) },
    start: () => upkeep.start(),
    async stop() {
      await upkeep.stop();
      await opened.close();
    },
  };
}
