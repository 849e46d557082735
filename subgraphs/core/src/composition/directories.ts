/** The small collections of core, with their services: made together, because they check each other, and kept fresh together. */
import type { Logger } from '@rhizome/log';
import type { Clock, Ids } from '@rhizome/clock';
import { ExperimentsService } from '../experiments/experiments.service.js';
import { QueuesService } from '../queues/queues.service.js';
import { SharesService } from '../shares/shares.service.js';
import type { Directory, DirectoryDocument } from '../shared/directory.repository.js';
import type { DirectoryStores } from './directory-stores.repository.js';

/** The part of the event stream that directories need. */
export interface DirectoryEvents {
  readonly counts: { live(share: string): number };
  onWritten(collection: string, listener: (ids: readonly string[]) => void): () => void;
  onReset(listener: () => void): () => void;
}

/** What {@link directoriesOf} makes them from. */
export interface DirectoriesOptions {
  readonly stores: DirectoryStores;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Logger;
  readonly events: DirectoryEvents;
  /** Whether a share has a job that is not terminal, as the store tells. */
  readonly hasLiveJobs: (experiment: string, share: string) => Promise<boolean>;
}

/** See the head of this file. */
export interface Directories {
  readonly experiments: ExperimentsService;
  readonly shares: SharesService;
  readonly queues: QueuesService;
  /** Reads all again: memory then has what every process has written so far. */
  reread(): Promise<void>;
  /** Reads all, and follows what is written from now on; the event stream must be open. */
  start(): Promise<void>;
  stop(): void;
  /** Calls the listener when queues or shares changed; returns how to stop. */
  onChanged(listener: () => void): () => void;
}

/** Makes them. */
export function directoriesOf(options: DirectoriesOptions): Directories {
  const { stores, clock, ids, log, events, hasLiveJobs } = options;
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
  const queues = new QueuesService({
    repository: stores.queues,
    clock,
    ids,
    missingExperiments: (names) => experiments.missing(names),
  });
  return {
    experiments,
    shares,
    queues,
    ...freshness(stores, events, log),
    onChanged(listener) {
      const ends = [queues.onChanged(() => listener()), shares.onChanged(listener)];
      return () => ends.forEach((end) => end());
    },
  };
}

/** How they are read, and read anew. */
function freshness(
  stores: DirectoryStores,
  events: DirectoryEvents,
  log: Logger,
): Pick<Directories, 'reread' | 'start' | 'stop'> {
  const all = Object.values(stores).map(
    ({ directory }) => directory as unknown as Directory<DirectoryDocument>,
  );
  const stops: (() => void)[] = [];
  const logged = (work: Promise<void>): void =>
    void work.catch((err: unknown) => log.warn({ err }, 'a directory could not be read anew'));
  const reread = async (): Promise<void> => {
    await Promise.all(all.map((directory) => directory.load()));
  };
  return {
    reread,
    async start() {
      for (const directory of all) {
        stops.push(
          events.onWritten(directory.name, (changed) => logged(directory.refresh(changed))),
          events.onReset(() => logged(directory.load())),
        );
      }
      await reread();
    },
    stop() {
      for (const stop of stops.splice(0)) stop();
    },
  };
}
