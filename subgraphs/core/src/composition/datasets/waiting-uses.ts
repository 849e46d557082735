/** Jobs that do not exist yet, and will use files: those of tasks, fleets and workflows. */
import type { FileUseSources, WaitingInputs as Waiting } from '../../datasets/deletion/file-users.js';
import { locationsOf } from '../../storages/places.js';
import type { WaitingInputs } from '../../tasks/waiting-inputs.repository.js';
import type { JobFleetStores } from '../fleets/job-fleets.repository.js';
import type { WorkflowStores } from '../workflows/workflow-stores.repository.js';

/** Where such jobs are found. */
export interface WaitingSources {
  readonly waiting: WaitingInputs;
  readonly graphs: WorkflowStores;
  readonly standing: JobFleetStores;
}

/** Uses of files by jobs that do not exist yet. */
export interface WaitingUses extends Pick<FileUseSources, 'waiting' | 'waitingNodes'> {
  /** Ids of those of the workflows that have not ended. */
  readonly unendedAmong: (workflowIds: readonly string[]) => Promise<ReadonlySet<string>>;
}

/** Finds these uses. */
export function waitingUses({ waiting, graphs, standing }: WaitingSources): WaitingUses {
  const { workflows } = graphs;
  return {
    unendedAmong: (ids) => workflows.unendedAmong(ids),
    async *waiting(experiments, parents): AsyncGenerator<Waiting> {
      for await (const { taskId, ...task } of waiting.of(experiments, parents))
        yield { user: `task ${taskId}`, ...task };
      for (const { _id, payload } of await standing.fleets.openPayloads(experiments))
        yield { user: `fleet ${_id}`, locations: payload.inputs.flatMap(locationsOf), parents: [] };
    },
    async waitingNodes(locations) {
      const found = new Map<string, string>();
      for (const nodes of nodeSources(graphs)) {
        const reading = [...(await nodes.reading(locations))];
        const unended = await workflows.unendedAmong(reading.flatMap(([, ids]) => ids));
        for (const [location, ids] of reading) {
          const workflow = ids.find((id) => unended.has(id));
          if (workflow !== undefined) found.set(location, workflow);
        }
      }
      return found;
    },
  };
}

/**
 * Finds a task, fleet or workflow with jobs that do not exist yet and will use an upload.
 * @returns its text for people; undefined if there is none
 */
export async function waitingUserOfUpload(
  { waiting, graphs, standing }: WaitingSources,
  { _id, experiment }: { readonly _id: string; readonly experiment: string },
): Promise<string | undefined> {
  const task = await waiting.usingUpload(experiment, _id);
  if (task !== undefined) return `task ${task}`;
  const fleets = await standing.fleets.openPayloads([experiment]);
  const fleet = fleets.find(({ payload }) => payload.uploadId === _id);
  if (fleet) return `fleet ${fleet._id}`;
  for (const nodes of nodeSources(graphs)) {
    const workflow = await graphs.workflows.unended(await nodes.usingUpload(_id));
    if (workflow !== undefined) return `workflow ${workflow}`;
  }
  return undefined;
}

/** Nodes of templates and added nodes first: those that become nodes meanwhile are found as such. */
const nodeSources = ({ added, templates, nodeJobs }: WorkflowStores) => [added, templates, nodeJobs];
