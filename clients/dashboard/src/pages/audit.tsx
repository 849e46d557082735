import { auditResults } from '@rhizome/client/states';
import { useState } from 'react';
import { useFresh } from '../api/use-fresh.js';
import { FailureNote } from '../components/failure-note.js';
import { FilterForm } from '../components/filter-form.js';
import { type Cursors, Pager } from '../components/pager.js';
import { Table } from '../components/table.js';
import { Title } from '../components/title.js';
import { second } from '../components/utc.js';
import { AuditPageDocument, type AuditPageQuery, type AuditResult } from '../operations.generated.js';
import { Link } from '../routing/link.js';
import { auditEntryPath } from '../routing/routes.js';

interface Filter {
  readonly subject?: string;
  readonly action?: string;
  readonly target?: string;
  readonly result?: AuditResult;
}

/** The audit log with filters, newest first, in pages. */
export function AuditPage() {
  const [filter, setFilter] = useState<Filter>({});
  const [cursors, setCursors] = useState<Cursors>([]);
  const page = useFresh(AuditPageDocument, { filter, after: cursors.at(-1) ?? null });
  const list = page.data?.auditEntries;
  const search = (given: Filter): void => {
    setCursors([]);
    setFilter(given);
  };
  return (
    <>
      <Title>Audit</Title>
      <FailureNote failures={[page.failure]} />
      <AuditFilter onSearch={search} />
      <EntryTable entries={list?.nodes ?? []} />
      <Pager cursors={cursors} pageInfo={list?.pageInfo} onGo={setCursors} />
    </>
  );
}

function AuditFilter({ onSearch }: { onSearch: (filter: Filter) => void }) {
  return (
    <FilterForm onSearch={(fields) => onSearch(fields as Filter)}>
      <label>
        Subject <input name="subject" />
      </label>{' '}
      <label>
        Action <input name="action" placeholder="Mutation.submitJobs" />
      </label>{' '}
      <label>
        Target <input name="target" />
      </label>{' '}
      <label>
        Result{' '}
        <select name="result" defaultValue="">
          <option value="">any</option>
          {auditResults.map((result) => (
            <option key={result}>{result}</option>
          ))}
        </select>
      </label>
    </FilterForm>
  );
}

type Entry = NonNullable<AuditPageQuery['auditEntries']>['nodes'][number];

const columns = ['Time', 'Principal', 'Action', 'Result', 'Targets'] as const;

function EntryTable({ entries }: { entries: readonly Entry[] }) {
  if (entries.length === 0) return <p className="muted">no entries</p>;
  return (
    <Table label="Audit entries" columns={columns}>
      {entries.map(({ id, at, actor, action, result, codes, repeatCount, targets }) => (
        <tr key={id} data-entry={id}>
          <td>
            <Link to={auditEntryPath(id)}>{second(at)}</Link>
          </td>
          <td>
            {actor?.subject ?? ''}
            {actor?.human && actor.human.subject !== actor.subject ? ` for ${actor.human.subject}` : ''}
          </td>
          <td className="name">{action}</td>
          <td>
            {[result, ...codes].join(' ')}
            {repeatCount > 1 ? ` ×${repeatCount}` : ''}
          </td>
          <td>
            {targets.count > 1 ? `${targets.count}: ` : ''}
            {targets.ids.slice(0, 3).join(' ')}
          </td>
        </tr>
      ))}
    </Table>
  );
}
