/** Words about jobs on their way through a report: what is known of each, what is wrong with it. */
import { InputErrors } from '@rhizome/errors';
import type { ReportedJob } from '../../scheduler/cache/scheduler-jobs.repository.js';
import type { JobState } from '../../jobs/model/job-state.js';
import type { ReportStep } from './report-plans.js';
import type { WorkerErrorCode, WorkerProblem } from '../worker-errors.js';

/** A word about one job. */
export interface JobReport {
  readonly id: string;
  readonly fence: number;
}

/** What is known of a job that a word is about; `full` has been read from the store. */
export interface Known {
  readonly state: JobState;
  readonly outputs: readonly string[] | undefined;
  readonly full: ReportedJob | undefined;
}

/** One word on its way. */
export interface OpenReport<TReport extends JobReport> {
  readonly index: number;
  readonly report: TReport;
  known: Known;
}

/** What one kind of report asks and does. `C` lists its error codes besides those of all reports. */
export interface ReportRules<TReport extends JobReport, C extends WorkerErrorCode = never> {
  /** What must be known of a job before its word is planned. */
  readonly needs: 'state' | 'outputs' | 'all';
  readonly check: (report: TReport, at: readonly (string | number)[], errors: InputErrors) => void;
  readonly refuse?: (report: TReport, known: Known, index: number) => WorkerProblem<C> | undefined;
  readonly plan: (report: TReport, known: Known) => ReportStep;
}

/** Jobs in one call at most. */
const maxReported = 1000;

/** Words that are well formed, each job once, and what is wrong with the others. */
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

/** There is no such job. */
export function noJob(index: number, { id }: JobReport): WorkerProblem<'JOB_NOT_FOUND'> {
  const message = `jobs.${index}.id: there is no job ${JSON.stringify(id)}`;
  return { code: 'JOB_NOT_FOUND', path: ['jobs', String(index), 'id'], message };
}

/** The job was taken from the worker. */
export function stale(index: number, { id, fence }: JobReport): WorkerProblem<'FENCE_STALE'> {
  const why = 'it was taken from this worker; end the payload and report nothing';
  const message = `jobs.${index}.fence: ${fence} no longer counts for job ${id}: ${why}`;
  return { code: 'FENCE_STALE', path: ['jobs', String(index), 'fence'], message };
}

/** The job's state does not allow the word. */
export function conflict(
  index: number,
  { id }: JobReport,
  state: JobState,
  expected: string,
): WorkerProblem<'JOB_STATE_CONFLICT'> {
  const message = `jobs.${index}.id: job ${id} is ${state}; must be ${expected}`;
  return { code: 'JOB_STATE_CONFLICT', path: ['jobs', String(index), 'id'], message };
}
