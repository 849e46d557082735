import { useFresh } from '../api/use-fresh.js';
import { useLive } from '../api/use-live.js';
import { FailureNote } from '../components/failure-note.js';
import { JobTable } from '../components/job-table.js';
import { ProgressBar } from '../components/progress-bar.js';
import { State, StateTiles } from '../components/state.js';
import { Table } from '../components/table.js';
import { Title } from '../components/title.js';
import {
  CountsDocument,
  GpusDocument,
  type GpusSubscription,
  LatestJobsDocument,
  LatestTasksDocument,
  type LatestTasksQuery,
} from '../operations.generated.js';
import { Link } from '../routing/link.js';
import { taskPath } from '../routing/routes.js';
import { byState, type Counts, foldCounts } from './counts.js';

const noCounts: Counts = new Map();
const none = {};

/** All jobs by state, the latest tasks and jobs, and the GPUs, moving. */
export function OverviewPage() {
  const counts = useLive(CountsDocument, none, foldCounts, noCounts);
  const tasks = useFresh(LatestTasksDocument, none, counts.state);
  const jobs = useFresh(LatestJobsDocument, none, counts.state);
  return (
    <>
      <Title isHidden>Overview</Title>
      <FailureNote failures={[counts.failure, tasks.failure, jobs.failure]} />
      <section>
        <h2>Jobs by state</h2>
        <StateTiles counts={byState(counts.state)} label="Jobs by state" />
      </section>
      <section>
        <h2>Latest tasks</h2>
        <TaskTable tasks={tasks.data?.tasks.nodes ?? []} />
      </section>
      <GpuSection />
      <section>
        <h2>Latest jobs</h2>
        <JobTable jobs={jobs.data?.jobs.nodes ?? []} label="Latest jobs" />
      </section>
    </>
  );
}

const taskColumns = ['Task', 'Experiment', 'State', 'Progress', 'Ended', 'Jobs'] as const;

function TaskTable({ tasks }: { tasks: LatestTasksQuery['tasks']['nodes'] }) {
  if (tasks.length === 0) return <p className="muted">no tasks</p>;
  return (
    <Table label="Latest tasks" columns={taskColumns}>
      {tasks.map(({ id, name, state, experiment, progress }) => (
        <tr key={id} data-task={id}>
          <td className="name">
            <Link to={taskPath(id)}>{name}</Link>
          </td>
          <td>{experiment.name}</td>
          <td>
            <State state={state} />
          </td>
          <td className="wide">
            <ProgressBar
              finished={progress.finishedFraction}
              ended={progress.endedFraction}
              label={`Progress of ${name}`}
            />
          </td>
          <td className="number">{Math.floor(progress.endedFraction * 100)} %</td>
          <td className="number">{progress.totalJobs.toLocaleString('en')}</td>
        </tr>
      ))}
    </Table>
  );
}

type Gpu = GpusSubscription['gpuOccupancyChanged']['gpus'][number];
const noGpus: ReadonlyMap<string, Gpu> = new Map();

function foldGpus(
  before: ReadonlyMap<string, Gpu>,
  { gpuOccupancyChanged }: GpusSubscription,
  isFirst: boolean,
) {
  const next = new Map(isFirst ? [] : before);
  for (const row of gpuOccupancyChanged.gpus) next.set(`${row.queueName}\n${row.model}`, row);
  return next;
}

const gpuColumns = ['Model', 'Queue', 'Use', 'In use'] as const;

function GpuSection() {
  const { state, failure } = useLive(GpusDocument, none, foldGpus, noGpus);
  const rows = [...state.values()].filter(({ total }) => total > 0);
  if (rows.length === 0 && failure === null) return null;
  return (
    <section>
      <h2>GPUs</h2>
      <FailureNote failures={[failure]} />
      <Table label="GPUs" columns={gpuColumns}>
        {rows.map(({ queueName: queue, model, total, allocated, unhealthy }) => (
          <tr key={`${queue} ${model}`}>
            <td className="name">{model}</td>
            <td>{queue}</td>
            <td className="wide">
              <ProgressBar
                finished={allocated / total}
                ended={allocated / total}
                label={`Use of ${model} in ${queue}`}
              />
            </td>
            <td>
              {allocated} of {total}
              {unhealthy > 0 ? `, ${unhealthy} unhealthy` : ''}
            </td>
          </tr>
        ))}
      </Table>
    </section>
  );
}
