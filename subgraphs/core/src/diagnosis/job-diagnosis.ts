/** Diagnosis of a job. Pure. */
import type { StoredTransition } from '../jobs/model/job.types.js';
import { isHeld, isTerminal } from '../jobs/model/job-state.js';
import type { Action, Cause, Diagnosis, Evidence } from './diagnosis.types.js';
import { plainLine } from './error-causes.js';
import { failureActions, otherRetry, retry, retryWithDependents } from './failure-actions.js';
import { attemptsText, failedAttempt, failureCauses } from './failure-causes.js';
import type { DiagnosedJob, JobFacts, RelatedJob } from './job-facts.types.js';
import { helpOf, outcomesOf } from './outcomes.js';
import { ranked } from './ranking.js';
import { runningCauses } from './running-causes.js';
import { waitingActions, waitingCauses } from './waiting-causes.js';

const nothing = { causes: [], helped: [], actions: [] } as const;

/** Explains the state of a job by its facts. */
export function diagnoseJob(facts: JobFacts): Diagnosis {
  const { job } = facts;
  if (job.state === 'FAILED') return failedDiagnosis(facts);
  if (job.state === 'CANCELLED' || job.state === 'CLOSED') return endedDiagnosis(facts);
  const since = job.stateTimes[job.state] ?? null;
  if (isTerminal(job.state)) return { summary: 'The job finished.', since, ...nothing };
  return isHeld(job.state) ? runningDiagnosis(facts, since) : waitingDiagnosis(facts, since);
}

function failedDiagnosis(facts: JobFacts): Diagnosis {
  const { job } = facts;
  const attempt = failedAttempt(job);
  const causes = ranked(failureCauses(facts));
  const outcomes = attempt ? outcomesFor(facts) : [];
  const first = causes[0];
  const again = job.retriedBy === undefined ? '' : ` Job ${job.retriedBy} retries it.`;
  const statement =
    first?.statement ?? (job.error ? plainLine(job.error.message) : 'The error is not known.');
  return {
    summary: `The job failed after ${attemptsText(job)}: ${uncapitalised(statement)}${again}`,
    since: job.stateTimes.FAILED ?? null,
    causes: causes.length > 0 ? causes : [unknown('No error of its attempts is known.')],
    helped: helpOf(outcomes),
    actions: failureActions(job, causes, outcomes),
  };
}

/** Outcomes of other jobs; payloads with different exit codes failed in different ways. */
function outcomesFor({ job, similar = [], copies = new Map() }: JobFacts) {
  const attempt = failedAttempt(job);
  if (!attempt) return [];
  const { code } = attempt.error;
  const exitCode = code === 'EXIT_CODE' ? attempt.exitCode : undefined;
  const others = similar.filter(({ _id }) => _id !== job._id);
  return outcomesOf({ code, exitCode, signal: attempt.signal }, others, copies);
}

function endedDiagnosis({ job, parents = [] }: JobFacts): Diagnosis {
  const last = job.transitions.at(-1);
  const isCancelled = job.state === 'CANCELLED';
  const by = last ? ` by ${last.actor}` : '';
  const reason = last?.reason === undefined ? '' : `: ${last.reason}`;
  const summary = `The job was ${isCancelled ? 'cancelled' : 'closed'}${by}${reason}${/[.!?]$/.test(reason) ? '' : '.'}`;
  const evidence = [
    ...(last ? [transitionEvidence(last)] : []),
    ...parents.map(({ _id: id, name, state }): Evidence => ({
      kind: 'JOB',
      text: `Its parent ${name ?? id} is ${state}.`,
      target: { kind: 'JOB', id },
    })),
  ];
  const cause: Cause = {
    ...{ kind: isCancelled ? 'CANCELLED' : 'CLOSED', statement: summary, confidence: 1, evidence },
  };
  const actions = job.retriedBy === undefined ? retryEnded(job, isCancelled ? [] : parents) : [];
  return { summary, since: job.stateTimes[job.state] ?? null, causes: [cause], helped: [], actions };
}

/** The copy of a job that was closed would be closed again: its parent is retried instead. */
function retryEnded(job: DiagnosedJob, parents: readonly RelatedJob[]): readonly Action[] {
  const failed = parents.find(({ state }) => isTerminal(state));
  const replaced = otherRetry(job);
  if (replaced) return replaced;
  if (failed?.retriedBy !== undefined) return [];
  return [failed ? retryWithDependents(failed, job._id) : retry(job, 'Retry the job', {})];
}

function transitionEvidence({ from, to, at, actor, reason }: StoredTransition): Evidence {
  const why = reason === undefined ? '' : `: ${reason}`;
  return { kind: 'TRANSITION', text: `${from} to ${to} by ${actor}${why}`, since: at };
}

function waitingDiagnosis(facts: JobFacts, since: Date | null): Diagnosis {
  const { job, pending } = facts;
  const earlier = failureCauses(facts);
  const causes = ranked([...waitingCauses(facts), ...lowered(earlier)]);
  const attempt = failedAttempt(job);
  const before = attempt ? ` Attempt ${attempt.number} failed with ${attempt.error.code}.` : '';
  return {
    summary: `${pending?.summary ?? `The job is ${job.state}.`}${before}`,
    since,
    causes: causes.length > 0 ? causes : [unknown('Core does not know yet why the job waits.')],
    helped: attempt ? helpOf(outcomesFor(facts)) : [],
    actions: waitingActions(facts),
  };
}

/** Causes of an earlier failure explain the wait less than its own causes. */
function lowered(causes: readonly Cause[]): readonly Cause[] {
  return causes.map((cause) => ({ ...cause, confidence: cause.confidence / 2 }));
}

function runningDiagnosis(facts: JobFacts, since: Date | null): Diagnosis {
  const { job, pending } = facts;
  const causes = ranked([...waitingCauses(facts), ...runningCauses(facts)]);
  const worker = job.workerId === undefined ? '' : ` on worker ${job.workerId}`;
  const place = job.queue === undefined ? worker : `${worker} of queue ${job.queue}`;
  const problem = pending?.summary ?? causes[0]?.statement;
  const summary = problem ?? `Attempt ${job.attempt} is ${job.state}${place}.`;
  return { summary, since, causes, helped: [], actions: [] };
}

function unknown(statement: string): Cause {
  return { kind: 'UNKNOWN', statement, confidence: 0.1, evidence: [] };
}

function uncapitalised(text: string): string {
  return /^[A-Z][a-z ]/.test(text) ? `${text[0]?.toLowerCase() ?? ''}${text.slice(1)}` : text;
}
