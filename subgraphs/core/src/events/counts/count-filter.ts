/** Filter of counts, limited to what the caller may see. */
import type { Principal } from '@rhizome/authz';
import { badInput } from '@rhizome/errors';
import type { JobFilterSpec } from '../../jobs/jobs.service.js';
import { searchFields } from '../../jobs/model/job-search.js';
import { listableQueues, readableExperiments } from '../../jobs/model/job-visibility.js';
import type { JobCountRow } from './job-counts.js';

const countedBy = 'no value: jobs are counted by experiment, queue, share, state and GPU model alone';
/** Fields of a filter of jobs that counts do not know. */
const unknown = [
  'ids',
  'taskIds',
  'owners',
  'labels',
  'createdFrom',
  'createdBefore',
  ...searchFields,
] as const;

/**
 * A test of counts, narrowed to what the principal may see.
 * @throws DomainError FORBIDDEN for an experiment that is named and not theirs, BAD_USER_INPUT for a
 *   condition that counts do not know
 */
export function compileCountFilter(
  input: JobFilterSpec | null | undefined,
  principal: Principal,
): (row: JobCountRow) => boolean {
  for (const name of unknown) {
    if (input?.[name] != null) throw badInput(`filter.${name}`, input[name], countedBy);
  }
  const { experiments, queues, gpuModels, shares, states } = input ?? {};
  const readable = readableExperiments(principal, experiments);
  const tests: ((row: JobCountRow) => boolean)[] = [
    ...narrow(readable, (row: JobCountRow) => row.experiment),
    ...narrow(queues, (row: JobCountRow) => row.queue),
    ...narrow(listableQueues(principal), (row: JobCountRow) => row.queue),
    ...narrow(gpuModels, (row: JobCountRow) => row.gpuModel),
    ...narrow(shares, (row: JobCountRow) => row.share),
    ...narrow(states, (row: JobCountRow) => row.state),
  ];
  return (row) => tests.every((test) => test(row));
}

function narrow(
  values: readonly string[] | null | undefined,
  of: (row: JobCountRow) => string | null,
): ((row: JobCountRow) => boolean)[] {
  if (!values) return [];
  const set = new Set<string | null>(values);
  return [(row) => set.has(of(row))];
}
