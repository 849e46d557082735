/** The small collections of core, with their services: made together, because they check each other, and kept fresh together. */
import type { Logger } from '@rhizome/log';
import { collection, type Clock, type Ids } from '@rhizome/mongo';
import type { Db } from 'mongodb';
import { experimentsCollection } from '../experiments/experiment.document.js';
import { ExperimentsRepository } from '../experiments/experiments.repository.js';
import { ExperimentsService } from '../experiments/experiments.service.js';
import { queuesCollection } from '../queues/queue.document.js';
import { QueuesRepository } from '../queues/queues.repository.js';
import { QueuesService } from '../queues/queues.service.js';
import { sharesCollection } from '../shares/share.document.js';
import { SharesRepository } from '../shares/shares.repository.js';
import { SharesService } from '../shares/shares.service.js';
import type { Directory, DirectoryDocument } from './directory.js';

/** The part of the event stream that directories need. */
export interface DirectoryEvents {
  readonly counts: { live(share: string): number };
  onWritten(collection: string, listener: (ids: readonly string[]) => void): () => void;
  onReset(listener: () => void): () => void;
}

/** What {@link directoriesOf} makes them from. */
export interface DirectoriesOptions {
  readonly db: Db;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Logger;
  readonly events: DirectoryEvents;
}

/** See the head of this file. */
export interface Directories {
  readonly experiments: ExperimentsService;
  readonly shares: SharesService;
  readonly queues: QueuesService;
  /** Reads all, and follows what is written from now on; the event stream must be open. */
  start(): Promise<void>;
  stop(): void;
  /** Calls the listener when queues or shares changed; returns how to stop. */
  onChanged(listener: () => void): () => void;
}

/** Makes them. */
export function directoriesOf({ db, clock, ids, log, events }: DirectoriesOptions): Directories {
  const repositories = {
    experiments: new ExperimentsRepository(collection(db, experimentsCollection)),
    shares: new SharesRepository(collection(db, sharesCollection)),
    queues: new QueuesRepository(collection(db, queuesCollection)),
  };
  const shares: SharesService = new SharesService({
    repository: repositories.shares,
    clock,
    experimentExists: async (name) => (await experiments.find(name)) !== null,
    liveJobs: (path) => events.counts.live(path),
  });
  const experiments = new ExperimentsService({
    repository: repositories.experiments,
    clock,
    prepareShares: (name) => shares.prepare(name),
  });
  const queues = new QueuesService({
    repository: repositories.queues,
    clock,
    ids,
    missingExperiments: (names) => experiments.missing(names),
  });
  const all = Object.values(repositories).map(({ directory }) => directory as unknown as Directory<DirectoryDocument>);
  const stops: (() => void)[] = [];
  const logged = (work: Promise<void>): void =>
    void work.catch((err: unknown) => log.warn({ err }, 'a directory could not be read anew'));
  return {
    experiments,
    shares,
    queues,
    async start() {
      for (const directory of all) {
        stops.push(
          events.onWritten(directory.name, (changed) => logged(directory.refresh(changed))),
          events.onReset(() => logged(directory.load())),
        );
      }
      await Promise.all([experiments.start(), shares.start(), queues.start()]);
    },
    stop() {
      for (const stop of stops.splice(0)) stop();
    },
    onChanged(listener) {
      const ends = [queues.onChanged(() => listener()), shares.onChanged(listener)];
      return () => ends.forEach((end) => end());
    },
  };
}
