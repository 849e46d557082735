/**
 * Adds the outputs of finished jobs to datasets. A job that names datasets has a look-up key of each. The
 * keys are removed after the outputs are added, so that after a crash they are added again, which changes
 * nothing.
 * So each output counts once, no matter which process adds it and how often.
 */
import type { Clock } from '@rhizome/clock';
import type { Logger } from '@rhizome/log';
import type { JobEvent } from '../jobs/model/job-event.types.js';
import { isTerminal } from '../jobs/model/job-state.js';
import type { EventHandler } from '../jobs/transitions/event-work.js';
import type { DatasetJobs, RefusedOutputs } from './dataset-jobs.repository.js';
import {
  type Addition,
  type DatasetFilesRepository,
  filesAtOnce,
  type NewFile,
} from './dataset-files.repository.js';
import { entriesOf } from './output-entries.js';

/** Dependencies of {@link OutputRegistration}. */
export interface OutputRegistrationOptions {
  readonly files: Pick<DatasetFilesRepository, 'add'>;
  readonly jobs: Pick<DatasetJobs, 'ended' | 'unregistered' | 'refused' | 'registered'>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Jobs that are read together: their outputs stay in memory. */
const jobsAtOnce = 100;

/** Adds outputs, from the event stream on the leader, and before a dataset is closed. */
export class OutputRegistration implements EventHandler {
  readonly name = 'datasets';
  readonly #options: OutputRegistrationOptions;

  constructor(options: OutputRegistrationOptions) {
    this.#options = options;
  }

  async handle(events: readonly JobEvent[], signal: AbortSignal): Promise<void> {
    const ids = events.flatMap(({ jobId, last: { to, hasOutputDatasets } }) =>
      hasOutputDatasets === true && isTerminal(to) ? [jobId] : [],
    );
    await this.#register([...new Set(ids)], signal);
  }

  /** Without a position in the stream, the look-up keys say which jobs are missing. */
  recover(signal: AbortSignal): Promise<void> {
    return this.registerEnded(undefined, signal);
  }

  /** Adds the outputs of all jobs that have ended: to one dataset, or to any. */
  async registerEnded(datasetId: string | undefined, signal?: AbortSignal): Promise<void> {
    for (;;) {
      const ids = await this.#options.jobs.unregistered(datasetId, jobsAtOnce);
      await this.#register(ids, signal);
      if (ids.length < jobsAtOnce || signal?.aborted === true) return;
    }
  }

  async #register(ids: readonly string[], signal: AbortSignal | undefined): Promise<void> {
    const { files, jobs, clock, log } = this.#options;
    for (let start = 0; start < ids.length && signal?.aborted !== true; start += jobsAtOnce) {
      const ended = await jobs.ended(ids.slice(start, start + jobsAtOnce));
      if (ended.length === 0) continue;
      const refused: RefusedOutputs[] = [];
      for (const [datasetId, entries] of entriesOf(ended))
        for (let from = 0; from < entries.length; from += filesAtOnce) {
          const some = entries.slice(from, from + filesAtOnce);
          // A dataset that was closed while a job was submitted takes its outputs nevertheless.
          const addition = await files.add(datasetId, some, ['OPEN', 'CLOSED'], clock.now());
          refused.push(...refusalsOf(datasetId, some, addition));
        }
      if (refused.length > 0) log.warn({ refused: refused.slice(0, 10) }, 'outputs not added to datasets');
      await jobs.refused(refused);
      await jobs.registered(ended.map(({ _id }) => _id));
    }
  }
}

/** Outputs that were not added, by job. */
function refusalsOf(
  datasetId: string,
  files: readonly NewFile[],
  { dataset, known, late, isTooLarge }: Addition,
): readonly RefusedOutputs[] {
  const refuse = (some: readonly NewFile[], refusal: RefusedOutputs['refusal']): readonly RefusedOutputs[] =>
    [...new Set(some.flatMap(({ jobId }) => jobId ?? []))].map((jobId) => ({ jobId, datasetId, refusal }));
  if (!dataset) return refuse(files, 'DATASET_REMOVED');
  const names = new Set([...known, ...late].map(({ name }) => name));
  const left = isTooLarge ? files.filter(({ name }) => !names.has(name)) : [];
  return [...refuse(late, 'DATASET_CLOSED'), ...refuse(left, 'DATASET_FULL')];
}
