/** Reads summaries from the counts of failures. */
import type { Collection, Document } from 'mongodb';
import { type ErrorQuestion, groupingFields } from './error-query.js';
import type { ErrorGroup, ErrorTotal, FailureSums, WasteByReason } from './error-summary.types.js';
import {
  type FailureCountsDocument,
  type FailureHistoryDocument,
  maxSamples,
} from './failure-counts.document.js';

/** Longest time of one answer of the store, in milliseconds. */
const longestMs = 10_000;
const noSums: FailureSums = { count: 0, coreSeconds: 0, gpuSeconds: 0 };
const noValues = {
  experiment: null,
  family: null,
  code: null,
  exitCode: null,
  taskId: null,
  queue: null,
  site: null,
  host: null,
  image: null,
  hour: null,
};

interface GroupResult extends FailureSums {
  readonly _id: Partial<Omit<ErrorGroup, keyof FailureSums | 'firstAt' | 'lastAt' | 'jobs'>>;
  readonly firstAt: Date;
  readonly lastAt: Date;
  readonly jobs: readonly (readonly string[])[];
}

type TotalKey = 'experiment' | 'site' | 'family' | 'code';
type TotalResult = Omit<ErrorTotal, TotalKey> & { readonly _id: Pick<ErrorTotal, TotalKey> };

/** Summaries of failures; the store adds up the rows. */
export class ErrorSummaryRepository {
  readonly #counts: Collection<FailureCountsDocument>;
  readonly #history: Collection<FailureHistoryDocument>;

  constructor(counts: Collection<FailureCountsDocument>, history: Collection<FailureHistoryDocument>) {
    this.#counts = counts;
    this.#history = history;
  }

  /** Number of documents with the answer, up to a limit. */
  size(question: ErrorQuestion, limit: number): Promise<number> {
    return this.#counts.countDocuments(documentsOf(question), { limit });
  }

  /** Number of documents with totals, up to a limit. */
  sizeOfTotals(question: ErrorQuestion, limit: number): Promise<number> {
    return this.#counts.countDocuments(totalsOf(question), { limit });
  }

  /** Since when failures are counted, and when they were not; null before the first. */
  history(): Promise<FailureHistoryDocument | null> {
    return this.#history.findOne({});
  }

  /** Sums of all failures. */
  async sums(question: ErrorQuestion): Promise<FailureSums> {
    const [found] = await this.#aggregate<FailureSums>(countPipeline(question));
    return found ?? noSums;
  }

  /** Groups, the one with most failures first. */
  async groups(question: ErrorQuestion, limit: number): Promise<readonly ErrorGroup[]> {
    const found = await this.#aggregate<GroupResult>(groupPipeline(question, limit));
    return found.map(({ _id, jobs, ...rest }) => ({
      ...noValues,
      ..._id,
      ...rest,
      jobs: [...new Set(jobs.flat())].slice(0, maxSamples),
    }));
  }

  /** Lost time by reason, the reason with most core time first. */
  async waste(question: ErrorQuestion): Promise<readonly WasteByReason[]> {
    const found = await this.#aggregate<FailureSums & { _id: string }>(wastePipeline(question));
    return found.map(({ _id: reason, ...rest }) => ({ reason, ...rest }));
  }

  /** Totals since counting began; only of codes that occurred first in the interval if `isNew`. */
  async totals(question: ErrorQuestion, isNew: boolean, limit: number): Promise<readonly ErrorTotal[]> {
    const found = await this.#aggregate<TotalResult>(totalsPipeline(question, isNew, limit));
    return found.map(({ _id, ...rest }) => ({ ..._id, ...rest }));
  }

  #aggregate<T extends Document>(pipeline: Document[]): Promise<T[]> {
    return this.#counts.aggregate<T>(pipeline, { maxTimeMS: longestMs }).toArray();
  }
}

/** Documents that can contain the answer. */
function documentsOf({ rollup, interval, experiments }: ErrorQuestion): Document {
  return {
    rollup,
    hour: { $gte: interval.from, $lt: interval.before },
    ...(experiments ? { experiment: { $in: [...experiments] } } : {}),
  };
}

const sums = {
  count: { $sum: '$rows.count' },
  coreSeconds: { $sum: '$rows.coreSeconds' },
  gpuSeconds: { $sum: '$rows.gpuSeconds' },
};

/** Documents of totals that can contain the answer. */
function totalsOf({ experiments }: ErrorQuestion): Document {
  return { rollup: 'TOTAL', ...(experiments ? { experiment: { $in: [...experiments] } } : {}) };
}

/** Pipeline of groups, the one with most failures first. Ends without an error are no failures. */
function groupPipeline(question: ErrorQuestion, limit: number): Document[] {
  const key = Object.fromEntries(
    question.by.map((one) => {
      const field = groupingFields[one];
      return [field, field === 'experiment' || field === 'hour' ? `$${field}` : `$rows.${field}`];
    }),
  );
  const latest = { n: maxSamples, sortBy: { 'rows.lastAt': -1 }, output: '$rows.jobs' };
  return [
    ...rowsOf(question),
    { $match: { 'rows.family': { $ne: null } } },
    {
      $group: {
        ...{ _id: key, ...sums, jobs: { $topN: latest } },
        ...{ firstAt: { $min: '$rows.firstAt' }, lastAt: { $max: '$rows.lastAt' } },
      },
    },
    { $match: { count: { $gt: 0 } } },
    { $sort: { count: -1, _id: 1 } },
    { $limit: limit },
  ];
}

/** Pipeline of the number of failures. */
function countPipeline(question: ErrorQuestion): Document[] {
  return [
    ...rowsOf(question),
    { $match: { 'rows.family': { $ne: null } } },
    { $group: { _id: null, ...sums } },
  ];
}

/** Pipeline of lost time by reason, the reason with most core time first. */
function wastePipeline(question: ErrorQuestion): Document[] {
  return [
    ...rowsOf(question),
    { $group: { _id: '$rows.code', ...sums } },
    { $match: { $or: [{ count: { $gt: 0 } }, { coreSeconds: { $gt: 0 } }] } },
    { $sort: { coreSeconds: -1, _id: 1 } },
    { $limit: maxReasons },
  ];
}

const maxReasons = 100;

/**
 * Pipeline of totals since counting began, by experiment, site and code, the newest code first; only of codes
 * that occurred first in the interval if `isNew`.
 */
function totalsPipeline(question: ErrorQuestion, isNew: boolean, limit: number): Document[] {
  const { rows, interval } = question;
  const since = { $gte: interval.from };
  return [
    { $match: { ...totalsOf(question), ...(isNew ? { newestAt: since } : {}) } },
    { $unwind: '$rows' },
    { $match: { ...rows, 'rows.family': { $ne: null } } },
    {
      $group: {
        _id: { experiment: '$experiment', site: '$site', family: '$rows.family', code: '$rows.code' },
        ...sums,
        firstAt: { $min: '$rows.firstAt' },
        lastAt: { $max: '$rows.lastAt' },
      },
    },
    ...(isNew ? [{ $match: { firstAt: { ...since, $lt: interval.before } } }] : []),
    { $sort: { firstAt: -1, _id: 1 } },
    { $limit: limit },
  ];
}

function rowsOf(question: ErrorQuestion): Document[] {
  return [{ $match: documentsOf(question) }, { $unwind: '$rows' }, { $match: question.rows }];
}
