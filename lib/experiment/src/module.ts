/** The shape of an experiment's package: what it is built from, and what it then is. */
import type { ApiClient } from '@rhizome/client';
import type { Logger } from '@rhizome/log';
import type { Clock, Ids } from '@rhizome/clock';
import type { connectMongo } from '@rhizome/mongo';
import type { SubgraphSchema } from '@rhizome/subgraph';

/** A database of the store. */
export type Database = ReturnType<Awaited<ReturnType<typeof connectMongo>>['db']>;

/** Options that an experiment is built with. */
export interface ExperimentOptions {
  /** Its own database, on a replica set. */
  readonly db: Database;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Logger;
  /** Core, through the gateway, as the experiment's service principal. */
  readonly core: ApiClient;
}

/** State of the follower of core's events. */
export interface Following {
  /** The stream is open, and a gap before it was closed. */
  readonly isOpen: boolean;
  /** Number of events that could not be read and were stored as dead letters. */
  readonly deadLetters: number;
}

/**
 * A built experiment. It answers questions at once, opens no socket, and follows core's events after `start`.
 */
export interface ExperimentService {
  readonly subgraph: SubgraphSchema;
  /**
   * Starts to follow core's events and to submit what a crash left behind. Core need not be reachable yet.
   */
  start(): Promise<void>;
  /** Ends all streams and the work under way. */
  stop(): Promise<void>;
  /** True between start and stop. */
  ready(): boolean;
  /** State of the follower, for `/readyz`; absent for experiments that follow no events. */
  following?(): Following;
}

/** Export `experiment` of an experiment's package, by which it is started without a reference to its name. */
export interface ExperimentModule {
  /** As in `experiment.yaml`. */
  readonly name: string;
  /** Migrates the database and builds. */
  build(options: ExperimentOptions): Promise<ExperimentService>;
}
