import type { JobLineFragment } from '../operations.generated.js';
import { Link } from '../routing/link.js';
import { jobPath } from '../routing/routes.js';
import { State } from './state.js';

/** Jobs, a line each. */
export function JobTable({ jobs, label }: { jobs: readonly JobLineFragment[]; label: string }) {
  if (jobs.length === 0) return <p className="quiet">no jobs</p>;
  return (
    <table aria-label={label}>
      <thead>
        <tr>
          <th>Job</th>
          <th>Experiment</th>
          <th>State</th>
          <th>Attempt</th>
          <th>Worker</th>
        </tr>
      </thead>
      <tbody>
        {jobs.map((job) => (
          <tr key={job.id} data-job={job.id}>
            <td>
              <Link to={jobPath(job.id)}>{job.name}</Link>
            </td>
            <td>{job.experiment.name}</td>
            <td>
              <State state={job.state} />
            </td>
            <td>{job.attempt}</td>
            <td>{job.worker?.name ?? ''}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
