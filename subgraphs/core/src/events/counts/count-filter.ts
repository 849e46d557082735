/** Which counts a caller wants, and may see. */
import { assertCan, experimentsFor, type Principal } from '@rhizome/authz';
import type { JobState } from '../../jobs/model/job-state.js';
import type { JobCountRow } from './job-counts.js';

/** The filter as it is given; what is left out or null does not narrow. */
export interface JobCountFilterInput {
  readonly experiments?: readonly string[] | null | undefined;
  readonly queues?: readonly string[] | null | undefined;
  readonly gpuModels?: readonly string[] | null | undefined;
  readonly shares?: readonly string[] | null | undefined;
  readonly states?: readonly JobState[] | null | undefined;
}

/** A test of counts, narrowed to what the principal may see. @throws DomainError FORBIDDEN for an experiment that is named and not theirs */
export function compileCountFilter(
  input: JobCountFilterInput | null | undefined,
  principal: Principal,
): (row: JobCountRow) => boolean {
  const { experiments, queues, gpuModels, shares, states } = input ?? {};
  for (const experiment of experiments ?? []) assertCan(principal, 'job:read', experiment);
  const visible = experimentsFor(principal, 'job:read');
  const wanted = experiments ?? (visible === '*' ? undefined : visible);
  const tests: ((row: JobCountRow) => boolean)[] = [
    ...narrow(wanted, (row: JobCountRow) => row.experiment),
    ...narrow(queues, (row: JobCountRow) => row.queue),
    // A pilot sees no further than its queue.
    ...narrow(
      principal.kind === 'PILOT' ? [principal.queue ?? ''] : undefined,
      (row: JobCountRow) => row.queue,
    ),
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
