/** Answers questions about failures from the counts, within what the caller may see. */
import type { Principal } from '@rhizome/authz';
import { badInput, DomainError } from '@rhizome/errors';
import type { Clock } from '@rhizome/clock';
import { readableExperiments } from '../../jobs/model/job-visibility.js';
import { askErrors, type ErrorFilterSpec, type ErrorGrouping, type ErrorQuestion } from './error-query.js';
import type { ErrorSummaryRepository } from './error-summary.repository.js';
import type { ErrorGroup, ErrorTotal, FailureSums, WasteByReason } from './error-summary.types.js';
import type { FailureHistoryDocument } from './failure-counts.document.js';

/** Dependencies of {@link ErrorSummaries}. */
export interface ErrorSummariesOptions {
  readonly counts: ErrorSummaryRepository;
  readonly clock: Clock;
}

const maxGroupings = 4;
const mostRows = 1000;
/** Most documents of an answer. */
const maxDocuments = 10_000;
/** Most documents of totals of one answer. */
const mostTotals = 5000;

/** Summaries of failures. */
export class ErrorSummaries {
  readonly #options: ErrorSummariesOptions;

  constructor(options: ErrorSummariesOptions) {
    this.#options = options;
  }

  /**
   * A summary within the experiments whose jobs the principal may read.
   * @throws DomainError FORBIDDEN for a named experiment that is not theirs, and for pilots; BAD_USER_INPUT
   */
  async ask(
    principal: Principal,
    filter: ErrorFilterSpec | null | undefined,
    by: readonly ErrorGrouping[],
  ): Promise<ErrorSummary> {
    if (principal.kind === 'PILOT')
      throw new DomainError('FORBIDDEN', 'Pilots may not read counts of errors', { field: 'errorSummary' });
    if (by.length < 1 || by.length > maxGroupings || new Set(by).size < by.length)
      throw badInput('by', by.join(), `1 to ${maxGroupings} different fields`);
    const experiments = readableExperiments(principal, filter?.experiments);
    const question = { ...askErrors(filter, by, this.#options.clock.now()), experiments };
    const size = await this.#options.counts.size(question, maxDocuments + 1);
    if (size > maxDocuments)
      throw badInput(
        'filter.from',
        question.interval.from.toISOString(),
        'a later time, or fewer experiments: the answer would read more than 10,000 documents',
      );
    return new ErrorSummary(this.#options.counts, question);
  }
}

/** A summary. Its parts are read when they are requested. */
export class ErrorSummary {
  readonly #counts: ErrorSummaryRepository;
  readonly #question: ErrorQuestion;
  #sums: Promise<FailureSums> | undefined;
  #history: Promise<FailureHistoryDocument | null> | undefined;

  constructor(counts: ErrorSummaryRepository, question: ErrorQuestion) {
    this.#counts = counts;
    this.#question = question;
  }

  get from(): Date {
    return this.#question.interval.from;
  }

  get before(): Date {
    return this.#question.interval.before;
  }

  /** Sums of all failures. */
  sums(): Promise<FailureSums> {
    return (this.#sums ??= this.#counts.sums(this.#question));
  }

  /** Since when failures are counted, and when they were not. */
  history(): Promise<FailureHistoryDocument | null> {
    return (this.#history ??= this.#counts.history());
  }

  /** Groups, the one with most failures first. @throws DomainError BAD_USER_INPUT */
  async groups(limit: number): Promise<readonly ErrorGroup[]> {
    return this.#counts.groups(this.#question, checkedLimit(limit));
  }

  /** Lost time by reason, also of attempts that ended without an error. */
  waste(): Promise<readonly WasteByReason[]> {
    return this.#counts.waste(this.#question);
  }

  /**
   * Totals since counting began, or of codes that occurred first in the interval, at their sites; the newest
   * first.
   * @throws DomainError BAD_USER_INPUT for a condition that totals do not have
   */
  async totals(kind: 'ALL' | 'NEW', limit: number): Promise<readonly ErrorTotal[]> {
    const { rollup, experiments } = this.#question;
    if (rollup !== 'CODE')
      throw badInput(
        'filter',
        rollup,
        'no task, host, image or exit code: totals are kept by site, queue and code',
      );
    const size = await this.#counts.sizeOfTotals(this.#question, mostTotals + 1);
    if (size > mostTotals)
      throw badInput('filter.experiments', experiments?.join() ?? 'all', 'fewer experiments');
    return this.#counts.totals(this.#question, kind === 'NEW', checkedLimit(limit));
  }
}

function checkedLimit(limit: number): number {
  if (limit >= 1 && limit <= mostRows) return limit;
  throw badInput('limit', limit, `1 to ${mostRows}`);
}
