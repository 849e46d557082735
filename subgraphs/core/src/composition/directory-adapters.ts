/** Views of experiments and queues for other domains. */
import type { ExperimentFacts, QueueDirectory } from '../jobs/ports.js';
import type { QueueDocument } from '../queues/queue.document.js';
import type { QueueLookup } from '../workers/worker-directory.service.js';
import type { Directories } from './directories.js';
import type { UploadUses } from '../files/uploads/upload-uses.js';
import { serves } from '../storages/places.js';
import type { QueueFacts } from '../queues/queue-facts.types.js';

/** Sources of the properties of experiments. */
export interface ExperimentSources extends Pick<Directories, 'experiments' | 'shares' | 'storages'> {
  readonly datasets: NonNullable<ExperimentFacts['datasets']>;
  readonly deletedPlaces: NonNullable<ExperimentFacts['deletedPlaces']>;
}

/** Experiment with its shares as stored now, or null. */
export async function experimentFacts(
  { experiments, shares, storages, datasets, deletedPlaces }: ExperimentSources,
  name: string,
  uploads?: Pick<UploadUses, 'usable'>,
): Promise<ExperimentFacts | null> {
  const [experiment, leaves] = await Promise.all([experiments.find(name), shares.ofExperiment(name)]);
  return (
    experiment && {
      name,
      shares: leaves.map(({ path }) => path),
      continuity: experiment.continuity,
      storages: async () => (await storages.allFresh()).filter((storage) => serves(storage, name)),
      ...{ datasets, deletedPlaces },
      uploads: uploads && ((owner, ids) => uploads.usable({ owner, experiment: name }, ids)),
    }
  );
}

type QueuesAndDowntimes = Pick<Directories, 'queues' | 'downtimes'>;

/** All queues in memory, as the scheduler needs them. */
export function allQueueFacts({ queues, downtimes }: QueuesAndDowntimes): readonly QueueFacts[] {
  return queues.all().map((queue) => queueFacts(queue, downtimes));
}

function queueFacts({ _id, ...queue }: QueueDocument, downtimes: Directories['downtimes']): QueueFacts {
  const windows = downtimes.windowsOf(queue);
  return { ...queue, id: _id, ...(windows ? { downtimes: windows } : {}) };
}

/** Queues as jobs need them. */
export function queueDirectory(queues: Directories['queues']): QueueDirectory {
  return {
    idOf: async (name) => (await queues.byNames([name]))[0]?._id ?? null,
    boundsOf: async (name) => (await queues.freshByNames([name]))[0]?.limits ?? null,
    admitted: (names, experiment) => queues.admitted(names, experiment),
    admitting: (experiment) => queues.admitting(experiment),
  };
}

/** Sites of queues in memory, by the names of the queues. */
export function sitesOfQueues(queues: Directories['queues']): (queue: string) => string | undefined {
  let sites: ReadonlyMap<string, string | undefined> | undefined;
  queues.onChanged(() => (sites = undefined));
  return (name) => {
    sites ??= new Map(queues.all().map((queue) => [queue.name, queue.site]));
    return sites.get(name);
  };
}

/** Queues as workers need them. */
export function queueLookup({ queues, downtimes }: QueuesAndDowntimes): QueueLookup {
  const facts = (found: readonly (QueueDocument | null)[]): readonly (QueueFacts | undefined)[] =>
    found.map((queue) => (queue ? queueFacts(queue, downtimes) : undefined));
  return {
    byNames: async (names) => facts(await queues.byNames(names)),
    freshByNames: async (names) => facts(await queues.freshByNames(names)),
    allFresh: async () => (await queues.allFresh()).map((queue) => queueFacts(queue, downtimes)),
  };
}
