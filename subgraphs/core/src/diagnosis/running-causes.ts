/** Problems of a job that a worker has. Pure. */
import { isHeld } from '../jobs/model/job-state.js';
import { shownProgress } from '../jobs/checkpoints/shown-progress.js';
import type { StoredAttempt } from '../jobs/model/job.types.js';
import type { Cause } from './diagnosis.types.js';
import type { JobFacts } from './job-facts.types.js';

/** Fraction of a limit from which it may end the job. */
const nearLimit = 0.9;
/** Time without a report of progress, from which the payload may hang, in milliseconds. */
const longestSilenceMs = 3_600_000;

/** Problems of a job that a worker has; empty if it runs as it should. */
export function runningCauses(facts: JobFacts): readonly Cause[] {
  const attempt = facts.job.attempts.at(-1);
  if (!attempt || attempt.endedAt || !isHeld(facts.job.state)) return [];
  return [...walltimeCauses(facts, attempt), ...progressCauses(facts, attempt)];
}

function walltimeCauses(
  { job, progress, now }: JobFacts,
  { startedAt, number }: StoredAttempt,
): readonly Cause[] {
  if (!startedAt) return [];
  const { walltimeSeconds } = job.requirements;
  const seconds = Math.round((now.getTime() - startedAt.getTime()) / 1000);
  const end = new Date(startedAt.getTime() + walltimeSeconds * 1000);
  const own = progress?.attempt === number ? progress : undefined;
  const expected = own && shownProgress(own, job.state, now).expectedEndAt;
  const text = `It has run for ${seconds} of ${walltimeSeconds} s.`;
  const evidence = [{ kind: 'METRICS', text, since: startedAt }] as const;
  if (expected && expected > end) {
    const statement = `At the rate of its progress, the payload ends at ${expected.toISOString()}, after its walltime is over at ${end.toISOString()}.`;
    return [{ kind: 'WALLTIME', statement, confidence: 0.7, evidence }];
  }
  if (expected || seconds < nearLimit * walltimeSeconds) return [];
  const statement = `The payload is ended at ${end.toISOString()}, when its walltime is over.`;
  return [{ kind: 'WALLTIME', statement, confidence: 0.5, evidence }];
}

function progressCauses({ progress, now }: JobFacts, { number }: StoredAttempt): readonly Cause[] {
  if (progress?.attempt !== number || now.getTime() - progress.at.getTime() < longestSilenceMs) return [];
  const since = progress.at;
  const statement = `The payload has reported no progress since ${since.toISOString()}.`;
  const text =
    progress.fraction === undefined ? statement : `Progress then: ${Math.round(progress.fraction * 100)} %.`;
  return [{ kind: 'PROGRESS', statement, confidence: 0.5, evidence: [{ kind: 'METRICS', text, since }] }];
}
