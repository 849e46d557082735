import { useFresh } from '../api/use-fresh.js';
import { useLive } from '../api/use-live.js';
import { JobDiagnosis } from '../components/diagnosis.js';
import { Facts } from '../components/facts.js';
import { FailureNote } from '../components/failure-note.js';
import { LogTail } from '../components/log-tail.js';
import { State } from '../components/state.js';
import { JobProgress } from '../components/job-progress.js';
import { NoSuch } from '../components/no-such.js';
import { Title } from '../components/title.js';
import { Outputs } from '../files/outputs.js';
import {
  JobMovesDocument,
  type JobMovesSubscription,
  JobPageDocument,
  JobProgressingDocument,
  type JobProgressingSubscription,
  type JobProgressNowFragment,
  type JobPageQuery,
} from '../operations.generated.js';
import { Link } from '../routing/link.js';
import { taskPath } from '../routing/routes.js';

type Move = JobMovesSubscription['jobStateChanged'];
const take = (_before: Move | null, { jobStateChanged }: JobMovesSubscription): Move => jobStateChanged;

type Progress = JobProgressNowFragment | null;
const takeProgress = (before: Progress, { jobProgressChanged }: JobProgressingSubscription): Progress =>
  jobProgressChanged.jobs[0]?.progress ?? before;

/** One job, moving: its states and the end of its log. */
export function JobPage({ id }: { id: string }) {
  const moves = useLive(JobMovesDocument, { id }, take, null);
  const progressing = useLive(JobProgressingDocument, { id }, takeProgress, null);
  // Also after the opening message: earlier changes are read, later ones arrive as events.
  const page = useFresh(JobPageDocument, { id }, moves.state);
  const job = page.data?.job;
  if (job === null) return <NoSuch what="job" id={id} />;
  return (
    <>
      <Title>{job?.name ?? id}</Title>
      <FailureNote failures={[moves.failure, progressing.failure, page.failure]} />
      {job && <JobFacts job={job} move={moves.state} />}
      {job && <JobProgress progress={progressing.state ?? job.progress} checkpoints={job.checkpoints} />}
      {job && <JobDiagnosis id={id} state={moves.state?.event?.state ?? job.state} />}
      {job && <Outputs jobId={id} outputs={job.outputs} />}
      {job?.attempts.map(({ number, keptOutputs }) => (
        <Outputs key={number} jobId={id} attempt={number} outputs={keptOutputs} />
      ))}
      <section>
        <h2>Log</h2>
        <LogTail jobId={id} />
      </section>
      {job && (
        <section>
          <h2>States</h2>
          <ol className="transitions" aria-label="States">
            {job.transitions.map(({ to, at, reason, revision }) => (
              <li key={revision}>
                <time dateTime={at}>{at.replace('T', ' ').replace(/\.\d+Z$/, ' UTC')}</time>{' '}
                <State state={to} /> {reason ?? ''}
              </li>
            ))}
          </ol>
        </section>
      )}
    </>
  );
}

const memoryLimitTexts = { CONTROL_GROUP_V2: 'by the kernel (cgroup v2)', SAMPLES: 'by samples' } as const;

function memoryLimitText(method: keyof typeof memoryLimitTexts | null): string | null {
  return method && memoryLimitTexts[method];
}

function JobFacts({ job, move }: { job: NonNullable<JobPageQuery['job']>; move: Move | null }) {
  // The stream is ahead of the page until the page is read again.
  const event = move?.event;
  const isAhead = event != null && event.revision > (job.transitions.at(-1)?.revision ?? 0);
  const { state, attempt } = isAhead ? event : job;
  return (
    <>
      <Facts
        facts={{
          State: (
            <span data-testid="job-state">
              <State state={state} />
            </span>
          ),
          Attempt: attempt > 0 ? attempt : null,
          'Exit code': job.exitCode,
          'Memory limit': memoryLimitText(job.attempts.at(-1)?.memoryLimit ?? null),
          Worker: job.worker?.name,
          Task: job.task && <Link to={taskPath(job.task.id)}>{job.task.name}</Link>,
          Owner: job.owner.subject,
          Experiment: job.experiment.name,
          Share: job.sharePath,
        }}
      />
      {job.error && (
        <p className="failures" role="alert">
          {job.error.code}: {job.error.message}
        </p>
      )}
      {job.pending && <p>{job.pending.summary}</p>}
    </>
  );
}
