/** Causes of many failures, from their counts by code. Pure. */
import type { ErrorGroup } from '../events/failures/error-summary.types.js';
import { plural } from '../shared/plural.js';
import type { Cause, Evidence } from './diagnosis.types.js';
import { isStated, kindOfCode } from './error-causes.js';
import { failedAttempt } from './failure-causes.js';
import type { RelatedJob } from './job-facts.types.js';
import { endOfLog, findInLog } from './log-findings.js';
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
  /** Ends of the logs of some of these jobs. */
  readonly logs: ReadonlyMap<string, string | null>;
}

/** A cause for each of the most frequent codes, with its share of all failures. */
export function groupCauses({ groups, jobs, logs }: CountedFailures): readonly Cause[] {
  const total = groups.reduce((sum, { count }) => sum + count, 0);
  return groups.slice(0, mostCodes).flatMap((group): Cause[] => {
    const { code, family, count, firstAt } = group;
    if (code === null || family === null) return [];
    const found = isStated(code) ? undefined : findInLog(logOf(group, logs) ?? null)[0];
    const share = rounded(count / total);
    const text = `${count} of ${plural(total, 'failed attempt')} ended with ${code}.`;
    const target = { kind: 'ERROR_CODE', id: code } as const;
    return [
      {
        ...{ kind: found?.pattern.kind ?? kindOfCode({ code, family }), share },
        statement: found ? `${text} The log of one says: ${found.pattern.statement}` : text,
        confidence: isStated(code) ? 1 : (found?.pattern.confidence ?? 0.3),
        evidence: [
          { kind: 'PEERS', text, target, count, since: firstAt },
          ...jobEvidence(group, jobs),
          ...logEvidence(
            found?.excerpt ?? (isStated(code) ? undefined : endOfLog(logOf(group, logs) ?? null)),
          ),
        ],
      },
    ];
  });
}

/** Jobs of the groups whose logs are read: one for each code that does not state its cause. */
export function jobsWithLogs(groups: readonly ErrorGroup[]): readonly string[] {
  return groups
    .slice(0, mostCodes)
    .flatMap(({ code, jobs }) => (code === null || isStated(code) ? [] : jobs.slice(0, 1)));
}

function logOf({ jobs }: ErrorGroup, logs: CountedFailures['logs']): string | null | undefined {
  return logs.get(jobs[0] ?? '');
}

function logEvidence(text: string | undefined): readonly Evidence[] {
  return text === undefined ? [] : [{ kind: 'LOG_LINES', text }];
}

function jobEvidence({ jobs: ids }: ErrorGroup, jobs: CountedFailures['jobs']): readonly Evidence[] {
  return ids.slice(0, shownJobs).flatMap((id) => {
    const job = jobs.get(id);
    if (!job) return [];
    const message = failedAttempt(job)?.error.message;
    const text = `${job.name ?? id} is ${job.state}${message === undefined ? '' : `: ${message}`}`;
    return [{ kind: 'JOB', text, target: { kind: 'JOB', id } } as const];
  });
}
