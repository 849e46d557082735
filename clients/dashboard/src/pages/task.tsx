import { useEffect } from 'react';
import { useFresh } from '../api/use-fresh.js';
import { useLive } from '../api/use-live.js';
import { FailureNote } from '../components/failure-note.js';
import { JobTable } from '../components/job-table.js';
import { ProgressBar } from '../components/progress-bar.js';
import { State, StateTiles } from '../components/state.js';
import { TaskMovesDocument, type TaskMovesSubscription, TaskPageDocument } from '../operations.generated.js';

type Moves = TaskMovesSubscription['taskProgress'];

const take = (_before: Moves | null, { taskProgress }: TaskMovesSubscription): Moves => taskProgress;

/** One task, moving. */
export function TaskPage({ id }: { id: string }) {
  const moves = useLive(TaskMovesDocument, { id }, take, null);
  const page = useFresh(TaskPageDocument, { id });
  const { refresh } = page;
  useEffect(() => refresh(), [moves.state, refresh]);
  const task = page.data?.task;
  if (task === null) return <p role="alert">There is no task {id}, or you may not see it.</p>;
  const progress = moves.state?.progress;
  return (
    <>
      <h1>{task?.name ?? id}</h1>
      <FailureNote failures={[moves.failure, page.failure]} />
      {task && (
        <p className="quiet">
          <State state={moves.state?.task?.state ?? task.state} /> of {task.owner} in {task.experiment.name},
          share {task.share}
        </p>
      )}
      {progress && (
        <section>
          <h2>Progress</h2>
          <ProgressBar finished={progress.finishedFraction} ended={progress.endedFraction} label="Progress" />
          <p>
            {Math.round(progress.endedFraction * progress.totalJobs)} of {progress.totalJobs} jobs have ended
          </p>
          <StateTiles
            counts={new Map(progress.states.map(({ state, count }) => [state, count]))}
            label="Jobs of the task by state"
          />
        </section>
      )}
      <section>
        <h2>Jobs</h2>
        <JobTable jobs={task?.jobs.nodes ?? []} label="Jobs of the task" />
      </section>
    </>
  );
}
