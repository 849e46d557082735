import { useFresh } from '../api/use-fresh.js';
import { useLive } from '../api/use-live.js';
import { TaskDiagnosis } from '../components/diagnosis.js';
import { Facts } from '../components/facts.js';
import { FailureNote } from '../components/failure-note.js';
import { JobTable } from '../components/job-table.js';
import { NoSuch } from '../components/no-such.js';
import { ProgressBar } from '../components/progress-bar.js';
import { State, StateTiles } from '../components/state.js';
import { Title } from '../components/title.js';
import {
  TaskMovesDocument,
  type TaskMovesSubscription,
  TaskPageDocument,
  type TaskPageQuery,
} from '../operations.generated.js';

type Moves = TaskMovesSubscription['taskProgress'];

const take = (_before: Moves | null, { taskProgress }: TaskMovesSubscription): Moves => taskProgress;

/** One task, moving. */
export function TaskPage({ id }: { id: string }) {
  const moves = useLive(TaskMovesDocument, { id }, take, null);
  const page = useFresh(TaskPageDocument, { id }, moves.state);
  const task = page.data?.task;
  if (task === null) return <NoSuch what="task" id={id} />;
  const progress = moves.state?.progress;
  return (
    <>
      <Title>{task?.name ?? id}</Title>
      <FailureNote failures={[moves.failure, page.failure]} />
      {task && (
        <Facts
          facts={{
            State: <State state={moves.state?.task?.state ?? task.state} />,
            Owner: task.owner.subject,
            Experiment: task.experiment.name,
            Share: task.sharePath,
            ...(task.control && { Command: commandText(task.control) }),
            ...(task.scouts && { Scouts: task.scouts.summary }),
          }}
        />
      )}
      {progress && <TaskProgress progress={progress} />}
      {task && <TaskDiagnosis id={id} state={moves.state?.task?.state ?? task.state} />}
      <section>
        <h2>Jobs</h2>
        <JobTable jobs={task?.jobs.nodes ?? []} label="Jobs of the task" />
      </section>
    </>
  );
}

function commandText({ action, by, at, reason }: Command): string {
  return `${action} by ${by.subject} at ${at}${reason === null ? '' : `: ${reason}`}`;
}

type Command = NonNullable<NonNullable<TaskPageQuery['task']>['control']>;

function TaskProgress({ progress }: { progress: NonNullable<Moves['progress']> }) {
  const { finishedFraction, endedFraction, totalJobs, counts } = progress;
  return (
    <section>
      <h2>Progress</h2>
      <ProgressBar finished={finishedFraction} ended={endedFraction} label="Progress" />
      <p>
        {Math.round(endedFraction * totalJobs).toLocaleString('en')} of {totalJobs.toLocaleString('en')} jobs
        have ended
      </p>
      <StateTiles
        counts={new Map(counts.map(({ state, count }) => [state, count]))}
        label="Jobs of the task by state"
      />
    </section>
  );
}
