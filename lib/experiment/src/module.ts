/** The shape of an experiment's package: what it is built from, and what it then is. */
import type { ApiClient } from '@rhizome/client';
import type { Logger } from '@rhizome/log';
import type { Clock, Ids } from '@rhizome/clock';
import type { connectMongo } from '@rhizome/mongo';
import type { SubgraphSchema } from '@rhizome/subgraph';

/** A database of the store. */
export type Database = ReturnType<Awaited<ReturnType<typeof connectMongo>>['db']>;

/** What an experiment is built from. */
export interface ExperimentOptions {
  /** Its own database, on a replica set. */
  readonly db: Database;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Logger;
  /** Core, through the gateway, as the experiment's service principal. */
  readonly core: ApiClient;
}

/** How core's events are followed. */
export interface Following {
  /** The stream is open, and a gap before it was closed. */
  readonly isOpen: boolean;
  /** Events that could not be read and were put aside, in all. */
  readonly parked: number;
}

/** A built experiment. It answers questions at once, opens no socket, and follows core's events after `start`. */
export interface ExperimentService {
  readonly subgraph: SubgraphSchema;
  /** Begins to follow core's events and to hand over what a crash left behind. Core need not be reachable yet. */
  start(): Promise<void>;
  /** Ends all streams and the work under way. */
  stop(): Promise<void>;
  /** Whether it was started and not stopped. */
  ready(): boolean;
  /** How core's events are followed, for `/readyz`; left out by experiments that follow none. */
  following?(): Following;
}

/** What an experiment's package exports as `experiment`: so it is started without being known by name. */
export interface ExperimentModule {
  /** As in `experiment.yaml`. */
  readonly name: string;
  /** Migrates the database and builds. */
  build(options: ExperimentOptions): Promise<ExperimentService>;
}
