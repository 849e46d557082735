/**
 * Small collections of core with their services. They are created together because they check each other, and
 * they are refreshed together.
 */
import type { Logger } from '@rhizome/log';
import type { Clock, Ids } from '@rhizome/clock';
import { ExperimentsService } from '../experiments/experiments.service.js';
import { DowntimesService } from '../queues/downtimes/downtimes.service.js';
import { QueuesService } from '../queues/queues.service.js';
import { SharesService } from '../shares/shares.service.js';
import type { StorageDocument } from '../storages/storage.document.js';
import { StoragesService } from '../storages/storages.service.js';
import { type Followed, followNotices, type StoreNotices } from '../shared/followed-notices.js';
import type { DirectoryStores } from './directory-stores.repository.js';

/** Part of the event stream that directories need. */
export interface DirectoryEvents extends StoreNotices {
  readonly counts: { live(share: string): number };
}

/** Dependencies of {@link directoriesOf}. */
export interface DirectoriesOptions {
  readonly stores: DirectoryStores;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Logger;
  readonly events: DirectoryEvents;
  /** Returns true if a share has a job that is not terminal, according to the store. */
  readonly hasLiveJobs: (experiment: string, share: string) => Promise<boolean>;
  /**
   * Id of a live job that needs a storage; null if none does, undefined if that is not known in time. Jobs of
   * the kept experiments are left out.
   */
  readonly liveJobOf: (
    storage: StorageDocument,
    experiments: readonly string[],
    kept: readonly string[],
  ) => Promise<string | null | undefined>;
}

/** Queues with their downtimes, experiments, shares and storages. */
export interface Directories {
  readonly experiments: ExperimentsService;
  readonly shares: SharesService;
  readonly queues: QueuesService;
  readonly downtimes: DowntimesService;
  readonly storages: StoragesService;
  /** Reads all documents again: memory then contains everything that any process has written so far. */
  reread(): Promise<void>;
  /** Reads all documents and follows later writes. The event stream must be open. */
  start(): Promise<void>;
  stop(): void;
  /** Calls the listener when queues, downtimes or shares change. @returns function that removes it */
  onChanged(listener: () => void): () => void;
}

/** Creates the directories. */
export function directoriesOf(options: DirectoriesOptions): Directories {
  const { stores, clock, ids, log, events, hasLiveJobs, liveJobOf } = options;
  const shares: SharesService = new SharesService({
    repository: stores.shares,
    clock,
    experimentExists: async (name) => (await experiments.find(name)) !== null,
    liveJobs: (path) => events.counts.live(path),
    hasLiveJobs,
  });
  const experiments = new ExperimentsService({
    repository: stores.experiments,
    clock,
    prepareShares: (name) => shares.prepare(name),
  });
  const queues: QueuesService = new QueuesService({
    repository: stores.queues,
    clock,
    ids,
    missingExperiments: (names) => experiments.missing(names),
    sharesOf: async (name) =>
      (await experiments.find(name)) && (await shares.ofExperiment(name)).map(({ path }) => path),
  });
  const downtimes = new DowntimesService({ repository: stores.downtimes, queues, clock, ids });
  const storages = new StoragesService({
    repository: stores.storages,
    clock,
    missingExperiments: (names) => experiments.missing(names),
    missingQueues: async (names) => {
      const found = await queues.freshByNames(names);
      return new Set(names.filter((_name, at) => !found[at]));
    },
    liveJobOf: async (storage, kept) => {
      const all = (await experiments.all()).map(({ _id }) => _id);
      const users = storage.experiments.length > 0 ? storage.experiments : all;
      return liveJobOf(storage, users, kept);
    },
  });
  return {
    experiments,
    shares,
    queues,
    downtimes,
    storages,
    ...freshness(stores, events, log),
    onChanged(listener) {
      const ends = [
        queues.onChanged(() => listener()),
        downtimes.onChanged(listener),
        shares.onChanged(listener),
      ];
      return () => ends.forEach((end) => end());
    },
  };
}

/** Reads and refreshes the directories. */
function freshness(
  stores: DirectoryStores,
  events: DirectoryEvents,
  log: Logger,
): Pick<Directories, 'reread' | 'start' | 'stop'> {
  const all: readonly Followed[] = Object.values(stores).map(
    ({ directory }: { directory: Followed }) => directory,
  );
  const stops: (() => void)[] = [];
  const reread = async (): Promise<void> => {
    await Promise.all(all.map((directory) => directory.load()));
  };
  return {
    reread,
    async start() {
      const failed = (err: unknown): void => log.warn({ err }, 'directory refresh failed');
      stops.push(...all.map((directory) => followNotices(events, directory, failed)));
      await reread();
    },
    stop() {
      for (const stop of stops.splice(0)) stop();
    },
  };
}
