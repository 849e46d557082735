/** Causes of many failures, from their counts by code. Pure. */
import type { ErrorGroup } from '../events/failures/error-summary.types.js';
import { plural } from '../shared/plural.js';
import type { Cause, Evidence } from './diagnosis.types.js';
import { isStated, kindOfCode, plainLine } from './error-causes.js';
import { attemptWith } from './failure-causes.js';
import type { RelatedJob } from './job-facts.types.js';
import { findInLog, type LogFinding } from './log-findings.js';
import { rounded } from './peers.js';

/** Most codes that are causes. */
export const mostCodes = 5;
/** Jobs of a code that are evidence. */
const shownJobs = 3;

/** Failures of a task, a queue or a site in an interval. */
export interface CountedFailures {
  /** By code, the most frequent first. */
  readonly groups: readonly ErrorGroup[];
  /** Jobs that the groups name and that were read, by id. */
  readonly jobs: ReadonlyMap<string, RelatedJob>;
  /** Ends of the logs of some attempts, by {@link sampleKey}. */
  readonly logs: ReadonlyMap<string, string | null>;
}

/** Codes with which a worker, not a job, ended an attempt. */
const noFailures: ReadonlySet<string> = new Set(['PREEMPTED', 'DRAINED', 'CHECKPOINTED']);

/** Cause of the failures with a code. */
export interface CodeCause {
  readonly code: string;
  readonly cause: Cause;
}

/** A cause for each kind of the most frequent codes, with its share of all failures. */
export function groupCauses(failures: CountedFailures): readonly Cause[] {
  const byKind = new Map<Cause['kind'], Cause>();
  for (const { cause } of causesByCode(failures)) {
    const known = byKind.get(cause.kind);
    byKind.set(cause.kind, known ? together(known, cause) : cause);
  }
  return [...byKind.values()];
}

/** Different failures of one kind: their shares add up, and none makes another more certain. */
function together(one: Cause, other: Cause): Cause {
  return {
    ...one,
    statement: `${one.statement} ${other.statement}`,
    confidence: Math.max(one.confidence, other.confidence),
    share: rounded((one.share ?? 0) + (other.share ?? 0)),
    evidence: [...one.evidence, ...other.evidence],
  };
}

/** A cause for each of the most frequent codes, with its share of all failures. */
export function causesByCode({ groups: all, jobs, logs }: CountedFailures): readonly CodeCause[] {
  const groups = all.filter(isFailure);
  const total = groups.reduce((sum, { count }) => sum + count, 0);
  return groups.slice(0, mostCodes).flatMap((group): CodeCause[] => {
    const { code, family, count, firstAt } = group;
    if (code === null || family === null) return [];
    const found = isStated(code) ? undefined : inSamples(group, logs);
    const text = `${count} of ${plural(total, 'failed attempt')} ended with ${code}.`;
    const target = { kind: 'ERROR_CODE', id: code } as const;
    const cause: Cause = {
      ...{ kind: found?.kind ?? kindOfCode({ code, family }), share: rounded(count / total) },
      statement: found ? `${text} ${found.statement}` : text,
      confidence: isStated(code) ? 1 : (found?.confidence ?? 0.3),
      evidence: [
        { kind: 'PEERS', text, target, count, since: firstAt },
        ...jobEvidence(group, jobs),
        ...(found ? [{ kind: 'LOG_LINES', text: found.excerpt } as const] : []),
      ],
    };
    return [{ code, cause }];
  });
}

function isFailure({ code }: ErrorGroup): boolean {
  return code === null || !noFailures.has(code);
}

/** Job whose attempt with a code has a log. */
export interface LogSample {
  readonly jobId: string;
  readonly code: string;
}

/** Key of the log of a sample: a job may have failed with several codes. */
export function sampleKey({ jobId, code }: LogSample): string {
  return `${jobId} ${code}`;
}

/** Jobs of the groups whose logs are read: some for each code that does not state its cause. */
export function samplesWithLogs(groups: readonly ErrorGroup[]): readonly LogSample[] {
  return groups
    .filter(isFailure)
    .slice(0, mostCodes)
    .flatMap(({ code, jobs }) =>
      code === null || isStated(code) ? [] : jobs.slice(0, shownJobs).map((jobId) => ({ jobId, code })),
    );
}

/** Pattern that most logs of the samples match; its certainty is multiplied by their part of the samples. */
function inSamples({ jobs, code }: ErrorGroup, logs: CountedFailures['logs']) {
  const keys = jobs.map((jobId) => sampleKey({ jobId, code: code ?? '' }));
  const read = keys.flatMap((key) => (logs.has(key) ? [logs.get(key) ?? null] : []));
  const found = read.flatMap((log) => findInLog(log)[0] ?? []);
  const timesOf = ({ pattern }: LogFinding): number =>
    found.filter((other) => other.pattern === pattern).length;
  const [most] = [...found].sort((one, other) => timesOf(other) - timesOf(one));
  if (!most) return undefined;
  const { kind, statement, confidence } = most.pattern;
  const times = timesOf(most);
  return {
    ...{ kind, excerpt: most.excerpt, confidence: rounded((confidence * times) / read.length) },
    statement: `${times} of ${plural(read.length, 'log')} that were read ${times === 1 ? 'shows' : 'show'} this: ${statement}`,
  };
}

function jobEvidence({ jobs: ids, code }: ErrorGroup, jobs: CountedFailures['jobs']): readonly Evidence[] {
  return ids.slice(0, shownJobs).flatMap((id) => {
    const job = jobs.get(id);
    if (!job) return [];
    const message = attemptWith(job, code ?? '')?.error.message;
    const text = `${job.name ?? id} is ${job.state}${message === undefined ? '' : `: ${plainLine(message)}`}`;
    return [{ kind: 'JOB', text, target: { kind: 'JOB', id } } as const];
  });
}
