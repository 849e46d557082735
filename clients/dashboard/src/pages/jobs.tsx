import { useState } from 'react';
import { useFresh } from '../api/use-fresh.js';
import { FailureNote } from '../components/failure-note.js';
import { FilterForm } from '../components/filter-form.js';
import { beginOf, IntervalField } from '../components/interval-field.js';
import { JobTable } from '../components/job-table.js';
import { Title } from '../components/title.js';
import { type JobFilter, JobsPageDocument } from '../operations.generated.js';

/** Jobs found by experiment, error, site, host and text. */
export function JobsPage() {
  const [filter, setFilter] = useState<JobFilter>(() => ({ createdFrom: beginOf({}) }));
  const { data, failure, refresh } = useFresh(JobsPageDocument, { filter });
  return (
    <>
      <Title>Jobs</Title>
      <FailureNote failures={[failure]} />
      <JobFilterForm
        onSearch={(next) => {
          setFilter(next);
          refresh();
        }}
      />
      {data && (
        <section>
          <h2>{data.jobs.pageInfo.hasNextPage ? 'The latest 100 jobs found' : 'Jobs found'}</h2>
          <JobTable jobs={data.jobs.nodes} label="Jobs found" />
        </section>
      )}
    </>
  );
}

function JobFilterForm({ onSearch }: { onSearch: (filter: JobFilter) => void }) {
  const search = (fields: Readonly<Record<string, string>>): void => {
    const { experiment, text, code, site, host } = fields;
    const attempts = {
      ...(code === undefined ? {} : { errorCodes: [code] }),
      ...(site === undefined ? {} : { sites: [site] }),
      ...(host === undefined ? {} : { hosts: [host] }),
    };
    onSearch({
      ...(experiment === undefined ? {} : { experiments: [experiment] }),
      ...(text === undefined ? {} : { text }),
      ...(Object.keys(attempts).length > 0 ? { attempts } : {}),
      createdFrom: beginOf(fields),
    });
  };
  return (
    <FilterForm onSearch={search}>
      {fieldLabels.map(([name, label]) => (
        <label key={name}>
          {label} <input name={name} />{' '}
        </label>
      ))}
      <IntervalField />
    </FilterForm>
  );
}

const fieldLabels = [
  ['experiment', 'Experiment'],
  ['code', 'Error code'],
  ['site', 'Site'],
  ['host', 'Host'],
  ['text', 'Text'],
] as const;
