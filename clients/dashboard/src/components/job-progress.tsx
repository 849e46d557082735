import type { JobPageQuery, JobProgressNowFragment } from '../operations.generated.js';
import { Facts } from './facts.js';
import { ProgressBar } from './progress-bar.js';

/** Progress that a payload reports, with the newest checkpoint; nothing if there are none. */
export function JobProgress({
  progress,
  checkpoints,
}: {
  progress: JobProgressNowFragment | null;
  checkpoints: NonNullable<JobPageQuery['job']>['checkpoints'];
}) {
  const [newest] = checkpoints;
  if (progress === null && newest === undefined) return null;
  const { fraction = null, step, fractionPerHour, expectedEndAt } = progress ?? {};
  const percent = (part: number): string => `${Math.round(part * 1000) / 10} %`;
  return (
    <section>
      <h2>Progress</h2>
      {fraction !== null && (
        <ProgressBar finished={fraction} ended={fraction} label="Progress of the payload" />
      )}
      <Facts
        facts={{
          Completed: fraction === null ? null : percent(fraction),
          Step: step,
          'Rate per hour': fractionPerHour == null ? null : percent(fractionPerHour),
          'Expected end': expectedEndAt,
          Reported: progress?.reportedAt,
          'Latest checkpoint':
            newest && `${newest.madeAt}${newest.step === null ? '' : `, step ${newest.step}`}`,
        }}
      />
    </section>
  );
}
