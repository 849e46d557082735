/** Words about jobs on their way through a report: what is known of each, what is wrong with it. */
import type { ReportedJob } from '../../scheduler/cache/scheduler-jobs.repository.js';
import { Problems } from '../../shared/problems.js';
import type { JobState } from '../../jobs/model/job-state.js';
import type { ReportStep } from './report-plans.js';
import type { WorkerErrorCode, WorkerProblem } from '../worker-errors.js';

/** A word about one job. */
export interface Word {
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
export interface OpenWord<TWord extends Word> {
  readonly index: number;
  readonly word: TWord;
  known: Known;
}

/** What one kind of report asks and does. */
export interface ReportRules<TWord extends Word> {
  /** What must be known of a job before its word is planned. */
  readonly needs: 'state' | 'outputs' | 'all';
  readonly check: (
    word: TWord,
    at: readonly (string | number)[],
    problems: Problems<WorkerErrorCode>,
  ) => void;
  readonly refuse?: (word: TWord, known: Known, index: number) => WorkerProblem | undefined;
  readonly plan: (word: TWord, known: Known) => ReportStep;
}

/** Jobs in one call at most. */
const maxReported = 1000;

/** Words that are well formed, each job once, and what is wrong with the others. */
export function checkedWords<TWord extends Word>(words: readonly TWord[], { check }: ReportRules<TWord>) {
  const fit: { index: number; word: TWord }[] = [];
  const all: WorkerProblem[] = [];
  if (words.length > maxReported) {
    const problems = new Problems<WorkerErrorCode>();
    problems.invalid(['jobs'], `${words.length} entries`, `at most ${maxReported} entries`);
    return { fit, problems: problems.found };
  }
  const seen = new Set<string>();
  words.forEach((word, index) => {
    const problems = new Problems<WorkerErrorCode>();
    if (seen.has(word.id)) problems.invalid(['jobs', index, 'id'], word.id, 'each job once in a call');
    seen.add(word.id);
    check(word, ['jobs', index], problems);
    if (problems.none) fit.push({ index, word });
    else all.push(...problems.found);
  });
  return { fit, problems: all };
}

/** There is no such job. */
export function noJob(index: number, { id }: Word): WorkerProblem {
  const message = `jobs.${index}.id: there is no job ${JSON.stringify(id)}`;
  return { code: 'JOB_NOT_FOUND', path: ['jobs', String(index), 'id'], message };
}

/** The job was taken from the worker. */
export function stale(index: number, { id, fence }: Word): WorkerProblem {
  const why = 'it was taken from this worker; end the payload and report nothing';
  const message = `jobs.${index}.fence: ${fence} no longer counts for job ${id}: ${why}`;
  return { code: 'FENCE_STALE', path: ['jobs', String(index), 'fence'], message };
}

/** The job's state does not allow the word. */
export function conflict(index: number, { id }: Word, state: JobState, expected: string): WorkerProblem {
  const message = `jobs.${index}.id: job ${id} is ${state}; expected ${expected}`;
  return { code: 'JOB_STATE_CONFLICT', path: ['jobs', String(index), 'id'], message };
}
