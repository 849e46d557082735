import { useState } from 'react';
import { useFresh } from '../api/use-fresh.js';
import { FailureNote } from '../components/failure-note.js';
import { FilterForm } from '../components/filter-form.js';
import { HourBars } from '../components/hour-bars.js';
import { beginOf, IntervalField } from '../components/interval-field.js';
import { Table } from '../components/table.js';
import { Title } from '../components/title.js';
import { minute } from '../components/utc.js';
import { type ErrorFilter, ErrorsPageDocument, type ErrorsPageQuery } from '../operations.generated.js';
import { Link } from '../routing/link.js';
import { jobPath } from '../routing/routes.js';

type Summary = ErrorsPageQuery['errorSummary'];

/** Failures by code and site, by hour, and the time that they cost. */
export function ErrorsPage() {
  const [filter, setFilter] = useState<ErrorFilter>({});
  const page = useFresh(ErrorsPageDocument, { filter });
  const summary = page.data?.errorSummary;
  return (
    <>
      <Title>Errors</Title>
      <FailureNote failures={[page.failure]} />
      <ErrorFilterForm onSearch={setFilter} onRefresh={page.refresh} />
      {summary && page.data && (
        <>
          <p data-testid="error-count">
            {summary.count} failed {summary.count === 1 ? 'attempt' : 'attempts'}, {hours(summary.coreHours)}{' '}
            core-hours and {hours(summary.gpuHours)} GPU-hours lost
          </p>
          <h2>By hour</h2>
          <HourBars interval={summary} hours={page.data.byHour.groups} />
          <Gaps summary={summary} />
          <h2>By code and site</h2>
          <GroupTable summary={summary} />
          <h2>Lost time by reason</h2>
          <WasteTable waste={summary.waste} />
        </>
      )}
    </>
  );
}

function ErrorFilterForm({
  onSearch,
  onRefresh,
}: {
  onSearch: (filter: ErrorFilter) => void;
  onRefresh: () => void;
}) {
  const search = (fields: Readonly<Record<string, string>>): void => {
    const { experiment, site, queue } = fields;
    onSearch({
      experiments: experiment === undefined ? null : [experiment],
      sites: site === undefined ? null : [site],
      queues: queue === undefined ? null : [queue],
      from: beginOf(fields),
    });
    onRefresh();
  };
  return (
    <FilterForm onSearch={search}>
      <label>
        Experiment <input name="experiment" />
      </label>{' '}
      <label>
        Site <input name="site" />
      </label>{' '}
      <label>
        Queue <input name="queue" />
      </label>{' '}
      <IntervalField />
    </FilterForm>
  );
}

function Gaps({ summary: { gaps, from, before } }: { summary: Summary }) {
  const shown = gaps.filter((gap) => gap.from < before && gap.to > from);
  if (shown.length === 0) return null;
  return (
    <ul role="alert">
      {shown.map((gap) => (
        <li key={gap.from}>
          not counted: {minute(gap.from)} to {minute(gap.to)}
        </li>
      ))}
    </ul>
  );
}

const groupColumns = ['Code', 'Site', 'Failed', 'Core-hours', 'GPU-hours', 'Latest', 'New', 'Jobs'] as const;

function GroupTable({ summary: { groups, newErrors } }: { summary: Summary }) {
  if (groups.length === 0) return <p className="muted">no failures</p>;
  const newSince = (code: string | null, site: string | undefined): string | undefined =>
    newErrors.find((one) => one.code === code && one.site?.name === site)?.firstAt;
  return (
    <Table label="Failures by code and site" columns={groupColumns}>
      {groups.map(({ code, family, site, count, coreHours, gpuHours, lastAt, sampleJobs }) => {
        const since = newSince(code, site?.name);
        return (
          <tr key={`${family} ${code} ${site?.name}`} data-code={code}>
            <td title={family ?? ''}>{code}</td>
            <td>{site?.name ?? 'unknown'}</td>
            <td className="number">{count}</td>
            <td className="number">{hours(coreHours)}</td>
            <td className="number">{hours(gpuHours)}</td>
            <td>{minute(lastAt)}</td>
            <td className="note">
              {since !== undefined && <span className="new">never before {minute(since)}</span>}
            </td>
            <td className="name">
              {sampleJobs.map(({ id, name }, index) => (
                <span key={id}>
                  {index > 0 && ', '}
                  <Link to={jobPath(id)}>{name}</Link>
                </span>
              ))}
            </td>
          </tr>
        );
      })}
    </Table>
  );
}

const wasteColumns = ['Reason', 'Attempts', 'Core-hours', 'GPU-hours'] as const;

function WasteTable({ waste }: { waste: Summary['waste'] }) {
  if (waste.length === 0) return <p className="muted">no lost time</p>;
  return (
    <Table label="Lost time by reason" columns={wasteColumns}>
      {waste.map(({ reason, count, coreHours, gpuHours }) => (
        <tr key={reason}>
          <td className="name">{reason}</td>
          <td className="number">{count}</td>
          <td className="number">{hours(coreHours)}</td>
          <td className="number">{hours(gpuHours)}</td>
        </tr>
      ))}
    </Table>
  );
}

function hours(count: number): string {
  return count.toFixed(2);
}
