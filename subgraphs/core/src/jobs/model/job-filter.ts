/**
 * Plans a job filter as one or more queries that an index answers in id order, without a sort in memory. If
 * the filter leaves the middle field of an index open, the query lists all its values: the server then merges
 * one sorted scan per value.
 */
import { jobIndex } from './job.document.js';
import { lowestIdAt } from './job-ids.js';
import { assertNarrowed, type SearchCriteria, searchConditions } from './job-search.js';
import { jobStates, type JobState } from './job-state.js';
import { labelKey, ownerKey, shareKey } from './new-job.js';

/** Filter of jobs; all given fields must match. */
export interface JobCriteria extends SearchCriteria {
  readonly ids?: readonly string[] | undefined;
  readonly experiments?: readonly string[] | undefined;
  readonly taskIds?: readonly string[] | undefined;
  readonly owners?: readonly string[] | undefined;
  readonly queueIds?: readonly string[] | undefined;
  readonly states?: readonly JobState[] | undefined;
  readonly shares?: readonly string[] | undefined;
  /** `key=value` */
  readonly labels?: readonly string[] | undefined;
  readonly createdFrom?: Date | undefined;
  readonly createdBefore?: Date | undefined;
}

const knownCriteria = new Set<string>(
  Object.keys({
    ids: true,
    experiments: true,
    taskIds: true,
    owners: true,
    queueIds: true,
    states: true,
    shares: true,
    labels: true,
    attempts: true,
    images: true,
    text: true,
    gpuModels: true,
    createdFrom: true,
    createdBefore: true,
  } satisfies Record<keyof JobCriteria, true>),
);

/**
 * A stored or wrongly built filter with a name that is not a condition would select more jobs than it says.
 * @throws Error if there is such a name
 */
function assertKnownCriteria(given: JobCriteria): void {
  const unknown = Object.keys(given).filter((name) => !knownCriteria.has(name));
  if (unknown.length > 0) throw new Error(`the filter of jobs has unknown conditions: ${unknown.join(', ')}`);
}

/**
 * Queries whose results, merged by id, form the answer, and the index that all of them use. Without a branch
 * nothing can match.
 */
export interface JobFilterPlan {
  readonly branches: readonly Readonly<Record<string, unknown>>[];
  readonly index: string;
  /** The index finds jobs that do not match: the read has a longest time. */
  readonly isSearch: boolean;
}

/** Maximum number of sorted scans that the server merges. */
const maxScans = 192;

const nothing: JobFilterPlan = { branches: [], index: jobIndex.id, isSearch: false };

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
  assertKnownCriteria(criteria);
  const experiments = narrow(criteria.experiments, visible);
  const { ids, states, taskIds, queueIds, labels, owners, shares } = criteria;
  const lists = [experiments, ids, states, taskIds, queueIds, labels, owners, shares];
  const searched = searchConditions(criteria);
  if (searched === undefined || lists.some((list) => list?.length === 0)) return nothing;
  const isSearch = Object.keys(searched).length > 0;
  const rest: Record<string, unknown> = {
    ...idRange(criteria),
    ...(experiments ? { experiment: oneOf(experiments) } : {}),
    ...(states ? { state: oneOf(states) } : {}),
    ...(taskIds ? { taskId: oneOf(taskIds) } : {}),
    ...(owners ? { owner: oneOf(owners) } : {}),
    ...(queueIds ? { queueId: oneOf(queueIds) } : {}),
    ...(shares ? { share: oneOf(shares) } : {}),
    ...searched,
  };
  const single = (index: string, extra: Record<string, unknown> = {}): JobFilterPlan => ({
    branches: [{ ...rest, ...extra }],
    index,
    isSearch,
  });
  // One scan per value of the fields before the id, in queries of at most as many scans as the server merges.
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
    isSearch,
  });
  const anyState = { state: { $in: states ?? jobStates } };
  // One scan for each value and state; a job has one value, so that no two branches find it.
  const listed = (index: string, field: string, values: readonly string[], extra = {}): JobFilterPlan => ({
    branches: chunks(values, Math.floor(maxScans / anyState.state.$in.length)).map((some) => ({
      ...rest,
      ...anyState,
      ...extra,
      [field]: oneOf(some),
    })),
    index,
    isSearch,
  });
  const found = (keys: readonly string[]) => ({ lookup: oneOf(keys) });
  const keysOf =
    (values: readonly string[] = [], key: (experiment: string, value: string) => string) =>
    (names: readonly string[]) =>
      found(names.flatMap((name) => values.map((value) => key(name, value))));
  const labelled = keysOf(labels, labelKey);
  const anyLabel = labels ? labelled(experiments ?? known) : {};
  if (ids) return single(jobIndex.id, anyLabel);
  if (taskIds) return listed(jobIndex.task, 'taskId', taskIds, anyLabel);
  if (labels) return spread(jobIndex.lookup, labels.length, labelled);
  if (owners) return spread(jobIndex.lookup, owners.length, keysOf(owners, ownerKey));
  if (queueIds) return listed(jobIndex.queue, 'queueId', queueIds);
  if (shares) {
    const own = shares.filter((share) => !experiments || experiments.includes(share.split('/')[0] ?? ''));
    return own.length === 0 ? nothing : single(jobIndex.lookup, found(own.map(shareKey)));
  }
  assertNarrowed(criteria);
  if (!experiments && !states) return single(jobIndex.id);
  const named = (names: readonly string[]) => ({ experiment: { $in: names } });
  if (!states) return spread(jobIndex.experiment, 1, named);
  return spread(jobIndex.experimentState, states.length, (names) => ({ ...named(names), ...anyState }));
}

/**
 * Returns true if the plan lists the index values per experiment but the filter does not restrict the
 * experiments: then all experiments must be known.
 */
export function needsKnown(criteria: JobCriteria, visible: '*' | readonly string[]): boolean {
  const { experiments, states, labels, owners } = criteria;
  return (
    visible === '*' &&
    experiments === undefined &&
    (states !== undefined || labels !== undefined || owners !== undefined)
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

/** Id range of a time range: ids are ordered by time. */
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
