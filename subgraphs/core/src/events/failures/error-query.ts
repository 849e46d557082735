/** Translates a filter of failures into queries of the counts. Pure. */
import { badInput } from '@rhizome/errors';
import { type JobErrorFamily } from '../../jobs/model/job.types.js';
import { retention } from '../../shared/retention.js';
import { hourMs, hourOf } from './failure-changes.js';
import { type FailureKey, type HourlyRollup, rollupFields } from './failure-counts.document.js';

/** Filter of failures as a caller gives it. */
export interface ErrorFilterSpec {
  readonly experiments?: readonly string[] | null | undefined;
  readonly families?: readonly JobErrorFamily[] | null | undefined;
  readonly codes?: readonly string[] | null | undefined;
  readonly exitCodes?: readonly number[] | null | undefined;
  readonly taskIds?: readonly string[] | null | undefined;
  readonly queues?: readonly string[] | null | undefined;
  readonly sites?: readonly string[] | null | undefined;
  readonly hosts?: readonly string[] | null | undefined;
  readonly images?: readonly string[] | null | undefined;
  readonly from?: Date | null | undefined;
  readonly before?: Date | null | undefined;
}

/** Interval of whole hours. */
export interface HourInterval {
  readonly from: Date;
  readonly before: Date;
}

/** Conditions in the syntax of the server. */
export type Conditions = Readonly<Record<string, unknown>>;

/** A checked question about failures. */
export interface ErrorQuestion {
  readonly rollup: HourlyRollup;
  readonly interval: HourInterval;
  /** Experiments of the answer; undefined for all. */
  readonly experiments: readonly string[] | undefined;
  readonly by: readonly ErrorGrouping[];
  /** Conditions of rows. */
  readonly rows: Conditions;
}

/** Longest interval, in hours: the retention of hours. */
const longestHours = retention.failureHours / 3600;
const defaultHours = 24;
const maxValues = 100;

/** Stored field of each list of the filter that is a condition of rows. */
const listFields = {
  families: 'family',
  codes: 'code',
  exitCodes: 'exitCode',
  taskIds: 'taskId',
  queues: 'queue',
  sites: 'site',
  hosts: 'host',
  images: 'image',
} as const satisfies Partial<Record<keyof ErrorFilterSpec, keyof FailureKey>>;

/** Stored field of each field by which failures can be grouped. */
export const groupingFields = {
  FAMILY: 'family',
  CODE: 'code',
  EXIT_CODE: 'exitCode',
  EXPERIMENT: 'experiment',
  TASK: 'taskId',
  QUEUE: 'queue',
  SITE: 'site',
  HOST: 'host',
  IMAGE: 'image',
  HOUR: 'hour',
} as const satisfies Readonly<Record<string, keyof FailureKey | 'experiment' | 'hour'>>;

/** Field by which failures can be grouped. */
export type ErrorGrouping = keyof typeof groupingFields;

/** Fields of documents, or of the rows of every rollup. */
const everywhere: ReadonlySet<string> = new Set(['family', 'code', 'experiment', 'hour']);

/**
 * Checks a question and finds the rollup that answers it.
 * @throws DomainError BAD_USER_INPUT naming a field that is wrong, or that no rollup has together with others
 */
export function askErrors(
  filter: ErrorFilterSpec | null | undefined,
  by: readonly ErrorGrouping[],
  now: Date,
): Omit<ErrorQuestion, 'experiments'> {
  const given = filter ?? {};
  for (const name of ['experiments', ...Object.keys(listFields)] as const) {
    const count = given[name as 'codes']?.length ?? 0;
    if (count > maxValues) throw badInput(`filter.${name}`, `${count} values`, `at most ${maxValues}`);
  }
  return { rollup: rollupOf(given, by), interval: intervalOf(given, now), by, rows: conditionsOf(given) };
}

/** Whole hours: the filter's begin is rounded down, its end up. */
function intervalOf({ from, before }: ErrorFilterSpec, now: Date): HourInterval {
  const end = before ?? now;
  const begin = from ?? new Date(end.getTime() - defaultHours * hourMs);
  if (begin >= end) throw badInput('filter.from', begin.toISOString(), `before ${end.toISOString()}`);
  const interval = { from: hourOf(begin), before: new Date(Math.ceil(end.getTime() / hourMs) * hourMs) };
  // An hour more, because both ends are rounded.
  const longestMs = (longestHours + 1) * hourMs;
  if (interval.before.getTime() - interval.from.getTime() > longestMs)
    throw badInput('filter.from', begin.toISOString(), `at most ${longestHours} hours before the end`);
  return interval;
}

/** The rollup whose rows have all fields that the filter and the grouping name. */
function rollupOf(filter: ErrorFilterSpec, by: readonly ErrorGrouping[]): HourlyRollup {
  const named: { readonly path: string; readonly field: string }[] = [
    ...by.map((one) => ({ path: 'by', field: groupingFields[one] })),
    ...Object.entries(listFields).flatMap(([name, field]) =>
      filter[name as keyof typeof listFields] ? [{ path: `filter.${name}`, field }] : [],
    ),
  ].filter(({ field }) => !everywhere.has(field));
  let fitting = Object.keys(rollupFields) as HourlyRollup[];
  for (const [index, { path, field }] of named.entries()) {
    const next = fitting.filter((rollup) => (rollupFields[rollup] as readonly string[]).includes(field));
    if (next.length === 0) {
      const others = [...new Set(named.slice(0, index).map((one) => one.field))].join(', ');
      throw badInput(
        path,
        field,
        `no ${field} together with ${others}: they are counted apart from each other`,
      );
    }
    fitting = next;
  }
  return fitting[0] ?? 'CODE';
}

function conditionsOf(filter: ErrorFilterSpec): Conditions {
  const lists = Object.entries(listFields).flatMap(([name, field]) => {
    const values = filter[name as keyof typeof listFields];
    return values ? [[`rows.${field}`, { $in: [...values] }] as const] : [];
  });
  return Object.fromEntries(lists);
}
