/**
 * A filter of jobs as one or more queries that an index answers in the order of the ids, without a sort in memory. Where a filter leaves
 * the middle field of an index open, all its values are listed: the server then merges one scan for each, which are in order already.
 */
import { jobIndex } from './job.document.js';
import { lowestIdAt } from './job-ids.js';
import { jobStates, type JobState } from './job-state.js';
import { labelKey, ownerKey, shareKey } from './new-job.js';

/** Which jobs: every field given must be met. */
export interface JobCriteria {
  readonly ids?: readonly string[] | undefined;
  readonly experiments?: readonly string[] | undefined;
  readonly taskId?: string | undefined;
  readonly owner?: string | undefined;
  readonly queueId?: string | undefined;
  readonly states?: readonly JobState[] | undefined;
  readonly share?: string | undefined;
  /** `key=value` */
  readonly label?: string | undefined;
  readonly createdFrom?: Date | undefined;
  readonly createdBefore?: Date | undefined;
}

/** Queries whose results together, merged by id, are the answer; and the index that all of them use. No branch: nothing can match. */
export interface JobFilterPlan {
  readonly branches: readonly Readonly<Record<string, unknown>>[];
  readonly index: string;
}

/** The server merges at most 200 scans in order. */
const maxScans = 192;

const nothing: JobFilterPlan = { branches: [], index: jobIndex.id };

/**
 * Plans a filter.
 * @param visible experiments whose jobs the caller may read
 * @param known all experiments; see {@link needsKnown}
 */
export function planJobFilter(
  criteria: JobCriteria,
  visible: '*' | readonly string[],
  known: readonly string[],
): JobFilterPlan {
  const experiments = narrow(criteria.experiments, visible);
  const { ids, states, taskId, queueId, label, owner, share } = criteria;
  if (experiments?.length === 0 || ids?.length === 0 || states?.length === 0) return nothing;
  const rest: Record<string, unknown> = {
    ...idRange(criteria),
    ...(experiments ? { experiment: oneOf(experiments) } : {}),
    ...(states ? { state: oneOf(states) } : {}),
    ...(taskId === undefined ? {} : { taskId }),
    ...(owner === undefined ? {} : { owner }),
    ...(queueId === undefined ? {} : { queueId }),
    ...(share === undefined ? {} : { share }),
  };
  const single = (index: string, extra: Record<string, unknown> = {}): JobFilterPlan => ({
    branches: [{ ...rest, ...extra }],
    index,
  });
  // One scan for each value of the fields before the id, no more of them in one query than the server merges.
  const spread = (
    index: string,
    each: number,
    query: (names: readonly string[]) => Record<string, unknown>,
  ): JobFilterPlan => ({
    branches: chunks(experiments ?? known, Math.max(1, Math.floor(maxScans / each))).map((names) => ({
      ...rest,
      ...query(names),
    })),
    index,
  });
  const anyState = { state: { $in: states ?? jobStates } };
  const found = (keys: readonly string[]) => ({ lookup: oneOf(keys) });
  const labelled = (names: readonly string[]) => found(names.map((name) => labelKey(name, label ?? '')));
  const anyLabel = label === undefined ? {} : labelled(experiments ?? known);
  if (ids) return single(jobIndex.id, anyLabel);
  if (taskId !== undefined) return single(jobIndex.task, { ...anyState, ...anyLabel });
  if (label !== undefined) return spread(jobIndex.lookup, 1, labelled);
  if (owner !== undefined)
    return spread(jobIndex.lookup, 1, (names) => found(names.map((name) => ownerKey(name, owner))));
  if (queueId !== undefined) return single(jobIndex.queue, anyState);
  if (share !== undefined)
    return experiments && !experiments.includes(share.split('/')[0] ?? '')
      ? nothing
      : single(jobIndex.lookup, found([shareKey(share)]));
  if (!experiments && !states) return single(jobIndex.id);
  const named = (names: readonly string[]) => ({ experiment: { $in: names } });
  if (!states) return spread(jobIndex.experiment, 1, named);
  return spread(jobIndex.experimentState, states.length, (names) => ({ ...named(names), ...anyState }));
}

/** Whether the plan lists the values of an index by experiment, and the filter does not tell which: then all must be known. */
export function needsKnown(criteria: JobCriteria, visible: '*' | readonly string[]): boolean {
  const { experiments, states, label, owner } = criteria;
  return (
    visible === '*' &&
    experiments === undefined &&
    (states !== undefined || label !== undefined || owner !== undefined)
  );
}

function chunks<T>(values: readonly T[], size: number): readonly (readonly T[])[] {
  const parts: (readonly T[])[] = [];
  for (let start = 0; start < values.length; start += size) parts.push(values.slice(start, start + size));
  return parts;
}

function narrow(
  wanted: readonly string[] | undefined,
  visible: '*' | readonly string[],
): readonly string[] | undefined {
  if (visible === '*') return wanted ? [...new Set(wanted)] : undefined;
  return wanted ? [...new Set(wanted)].filter((name) => visible.includes(name)) : visible;
}

/** Ids are ordered by time: a range of times is a range of ids. */
function idRange({ ids, createdFrom, createdBefore }: JobCriteria): Record<string, unknown> {
  if (!ids && !createdFrom && !createdBefore) return {};
  return {
    _id: {
      ...(ids ? { $in: [...new Set(ids)] } : {}),
      ...(createdFrom ? { $gte: lowestIdAt(createdFrom) } : {}),
      ...(createdBefore ? { $lt: lowestIdAt(createdBefore) } : {}),
    },
  };
}

function oneOf<T>(values: readonly T[]): T | { $in: readonly T[] } {
  const [only] = values;
  return values.length === 1 && only !== undefined ? only : { $in: values };
}
