/** Reports about jobs while they are processed: the known facts of each job, and the errors. */
import { InputErrors } from '@rhizome/errors';
import type { ReportedJob } from '../../scheduler/cache/scheduler-jobs.repository.js';
import type { JobState } from '../../jobs/model/job-state.js';
import type { ReportStep } from './report-plans.js';
import type { WorkerErrorCode, WorkerProblem } from '../worker-errors.js';

/** A report about one job. */
export interface JobReport {
  readonly id: string;
  readonly fence: number;
}

/** Known facts of the job of a report; `full` is set when the job was read from the store. */
export interface Known {
  readonly state: JobState;
  readonly outputs: readonly string[] | undefined;
  readonly full: ReportedJob | undefined;
}

/** One report while it is processed. */
export interface OpenReport<TReport extends JobReport> {
  readonly index: number;
  readonly report: TReport;
  known: Known;
}

/** Rules of one kind of report. `C` lists its error codes in addition to those of all reports. */
export interface ReportRules<TReport extends JobReport, C extends WorkerErrorCode = never> {
  /** Facts of a job that planning its report needs. */
  readonly needs: 'state' | 'outputs' | 'all';
  readonly check: (report: TReport, at: readonly (string | number)[], errors: InputErrors) => void;
  readonly refuse?: (report: TReport, known: Known, index: number) => WorkerProblem<C> | undefined;
  readonly plan: (report: TReport, known: Known) => ReportStep;
  /**
   * Called with all open reports before they are planned from facts of the store, and again with those whose
   * jobs have changed meanwhile.
   */
  readonly prepare?: (open: readonly OpenReport<TReport>[]) => Promise<void>;
}

/** Most jobs in one call. */
const maxReported = 1000;

/** Separates well-formed reports, one for each job, from the errors of the others. */
export function checkedReports<TReport extends JobReport>(
  reports: readonly TReport[],
  { check }: Pick<ReportRules<TReport>, 'check'>,
) {
  const fit: { index: number; report: TReport }[] = [];
  const all: WorkerProblem<never>[] = [];
  if (reports.length > maxReported) {
    const errors = new InputErrors();
    errors.add(['jobs'], `${reports.length} entries`, `at most ${maxReported} entries`);
    return { fit, errors: errors.all };
  }
  const seen = new Set<string>();
  reports.forEach((report, index) => {
    const errors = new InputErrors();
    if (seen.has(report.id)) errors.add(['jobs', index, 'id'], report.id, 'unique in a call');
    seen.add(report.id);
    check(report, ['jobs', index], errors);
    if (errors.isEmpty) fit.push({ index, report });
    else all.push(...errors.all);
  });
  return { fit, errors: all };
}

/** Error for a job that does not exist, or that the caller may not see. */
export function noJob(index: number, { id }: JobReport): WorkerProblem<'JOB_NOT_FOUND'> {
  const message = `Job ${JSON.stringify(id)} not found.`;
  return { code: 'JOB_NOT_FOUND', path: ['jobs', String(index), 'id'], message };
}

/** Error for a job that was taken from the worker. */
export function stale(index: number, { id, fence }: JobReport): WorkerProblem<'FENCE_STALE'> {
  const why = 'the job was taken from this worker; end the payload and report nothing';
  const message = `jobs.${index}.fence: ${fence} is stale for job ${JSON.stringify(id)}: ${why}`;
  return { code: 'FENCE_STALE', path: ['jobs', String(index), 'fence'], message };
}

/** Error for a report that the state of the job does not allow. */
export function conflict(
  index: number,
  { id }: JobReport,
  state: JobState,
  expected: string,
): WorkerProblem<'JOB_STATE_CONFLICT'> {
  const message = `jobs.${index}.id: job ${JSON.stringify(id)} is ${state}; must be ${expected}`;
  return { code: 'JOB_STATE_CONFLICT', path: ['jobs', String(index), 'id'], message };
}
