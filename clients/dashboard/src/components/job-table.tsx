import type { JobLineFragment } from '../operations.generated.js';
import { Link } from '../routing/link.js';
import { jobPath } from '../routing/routes.js';
import { State } from './state.js';
import { Table } from './table.js';

const columns = ['Job', 'Experiment', 'State', 'Attempt', 'Worker'] as const;

/** Jobs, a line each. */
export function JobTable({ jobs, label }: { jobs: readonly JobLineFragment[]; label: string }) {
  if (jobs.length === 0) return <p className="muted">no jobs</p>;
  return (
    <Table label={label} columns={columns}>
      {jobs.map((job) => (
        <tr key={job.id} data-job={job.id}>
          <td className="name">
            <Link to={jobPath(job.id)}>{job.name}</Link>
          </td>
          <td>{job.experiment.name}</td>
          <td>
            <State state={job.state} />
          </td>
          <td>{job.attempt > 0 ? job.attempt : ''}</td>
          <td>{job.worker?.name ?? ''}</td>
        </tr>
      ))}
    </Table>
  );
}
