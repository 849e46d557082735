/** Assembles secrets: their service, and the work that follows a replaced master key. */
import type { Clock, Ids } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import { loadFileMasterKeys } from '../secrets/file-master-keys.js';
import type { MasterKeys } from '../secrets/master-keys.types.js';
import { RewrapWork } from '../secrets/rewrap-work.js';
import type { SecretsRepository } from '../secrets/secrets.repository.js';
import { type SecretLimits, SecretsService } from '../secrets/secrets.service.js';
import { type TransitOptions, transitMasterKeys } from '../secrets/transit-master-keys.js';
import type { LeaderWork } from '../shared/leader-task.js';

/** Configuration of secrets. */
export interface SecretsConfig {
  /** Without a provider, no secret can be stored or delivered. */
  readonly keys?: MasterKeys | undefined;
  readonly limits?: Partial<SecretLimits> | undefined;
  /** Interval at which a replaced master key is looked for, in milliseconds. */
  readonly rewrapEveryMs?: number | undefined;
  /** Secrets that are brought under a new master key at a time. */
  readonly rewrapBatchSize?: number | undefined;
}

/** Dependencies of {@link secretsModule}. */
export interface SecretsModuleOptions {
  readonly repository: SecretsRepository;
  readonly config: SecretsConfig | undefined;
  readonly experimentExists: (name: string) => Promise<boolean>;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Logger;
}

/** Secrets with their background work. */
export interface SecretsModule {
  readonly service: SecretsService;
  /** Starts the background work, which runs on the leader. */
  start(leader: LeaderWork): void;
  stop(): Promise<void>;
}

/** Creates the services of secrets. */
export function secretsModule(options: SecretsModuleOptions): SecretsModule {
  const { repository, config = {}, experimentExists, clock, ids, log } = options;
  const { keys, limits, rewrapEveryMs: everyMs, rewrapBatchSize: batchSize } = config;
  const service = new SecretsService({ repository, keys, limits, experimentExists, clock, ids });
  let work: RewrapWork | undefined;
  return {
    service,
    start(leader) {
      if (!keys) return;
      work = new RewrapWork({ repository, keys, leader, log, everyMs, batchSize });
      work.start();
    },
    stop: async () => work?.stop(),
  };
}

/** Provider of the master keys by configuration; undefined if none is configured. */
export async function masterKeysOf({
  masterKeyFile,
  transit,
}: {
  readonly masterKeyFile?: string | undefined;
  readonly transit?: TransitOptions | undefined;
}): Promise<MasterKeys | undefined> {
  if (transit) return transitMasterKeys(transit);
  return masterKeyFile === undefined ? undefined : loadFileMasterKeys(masterKeyFile);
}
