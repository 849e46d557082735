/** What an experiment's package exports as `experiment`, so that it can be started without being known by name. */
import type { ApiClient } from '@rhizome/client';
import type { Logger } from '@rhizome/log';
import type { Clock, Ids, connectMongo } from '@rhizome/mongo';
import type { SubgraphSchema } from '@rhizome/subgraph';
import type { ExperimentManifest } from '@rhizome/schema';

/** A database of the store. */
type Db = ReturnType<Awaited<ReturnType<typeof connectMongo>>['db']>;

/** What an experiment is built from. */
export interface ExperimentOptions {
  /** Its own database. */
  readonly db: Db;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Logger;
  /** Core, through the gateway, as the experiment's service principal. */
  readonly core: ApiClient;
}

/** A built experiment. */
export interface ExperimentService {
  readonly subgraph: SubgraphSchema;
  /** Begins to follow core's events. */
  start(): Promise<void>;
  stop(): Promise<void>;
  ready(): boolean;
}

/** The export. */
export interface ExperimentModule {
  readonly name: string;
  build(options: ExperimentOptions): Promise<ExperimentService>;
}

/** Loads the package of an experiment that was found in the repository. Throws when it has no such export. */
export async function loadExperiment(manifest: ExperimentManifest): Promise<ExperimentModule> {
  const loaded = (await import(`@rhizome/${manifest.name}`)) as { experiment?: ExperimentModule };
  if (typeof loaded.experiment?.build !== 'function') {
    throw new Error(
      `the package of experiment ${manifest.name} exports no "experiment" with "build": see docs/write-an-experiment.md`,
    );
  }
  return loaded.experiment;
}
