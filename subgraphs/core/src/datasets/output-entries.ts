/** Files that finished jobs add to datasets. Pure. */
import { isDeclaredBy } from '@rhizome/storage';
import type { JobDocument } from '../jobs/model/job.types.js';
import type { NewFile } from './dataset-files.repository.js';

/** Fields of a job that has ended and names datasets for its outputs. */
export type EndedWriter = Pick<
  JobDocument,
  '_id' | 'state' | 'createdAt' | 'updatedAt' | 'outputs' | 'payload'
>;

/** Projection for {@link EndedWriter}. */
export const endedWriterFields = {
  state: 1,
  createdAt: 1,
  updatedAt: 1,
  outputs: 1,
  'payload.outputDatasets': 1,
} as const;

/**
 * Files by dataset: a file goes to the first dataset whose entry of `outputs` declares it, a path before
 * folders and patterns. Their names follow from the job and the output, so that a job which is read again,
 * also by another process, gives the same names. A job that did not finish gives none.
 */
export function entriesOf(jobs: readonly EndedWriter[]): ReadonlyMap<string, readonly NewFile[]> {
  const byDataset = new Map<string, NewFile[]>();
  for (const { _id, state, createdAt, updatedAt, outputs, payload } of jobs) {
    if (state !== 'FINISHED') continue;
    const { outputDatasets = [] } = payload;
    const named = new Map(outputDatasets.map(({ output, datasetId }) => [output, datasetId]));
    for (const { name, location, sizeBytes, sha256 } of outputs) {
      const datasetId =
        named.get(name) ?? outputDatasets.find(({ output }) => isDeclaredBy(name, output))?.datasetId;
      if (datasetId === undefined) continue;
      const [, storage] = /^rhizome:\/\/([^/]+)\//.exec(location) ?? [];
      const replica = {
        location,
        ...(storage === undefined ? {} : { storage }),
        state: 'AVAILABLE' as const,
        changedAt: updatedAt,
      };
      const file: NewFile = {
        name: `${_id}/${name}`,
        sizeBytes,
        digest: `sha256:${sha256}`,
        metadata: [],
        jobId: _id,
        jobCreatedAt: createdAt,
        replicas: [replica],
      };
      const files = byDataset.get(datasetId);
      if (files) files.push(file);
      else byDataset.set(datasetId, [file]);
    }
  }
  return byDataset;
}
