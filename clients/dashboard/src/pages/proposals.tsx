import { proposalStatuses } from '@rhizome/client/states';
import { useState } from 'react';
import { useFresh } from '../api/use-fresh.js';
import { FailureNote } from '../components/failure-note.js';
import { FilterForm } from '../components/filter-form.js';
import { type Cursors, Pager } from '../components/pager.js';
import { Table } from '../components/table.js';
import { Title } from '../components/title.js';
import { minute } from '../components/utc.js';
import {
  type ProposalStatus,
  ProposalsPageDocument,
  type ProposalsPageQuery,
} from '../operations.generated.js';
import { Link } from '../routing/link.js';
import { proposalPath } from '../routing/routes.js';

const waiting: ProposalStatus = 'PROPOSED';

/** Proposals of one status, newest first, in pages. */
export function ProposalsPage() {
  const [status, setStatus] = useState<string>(waiting);
  const [cursors, setCursors] = useState<Cursors>([]);
  const filter = status === '' ? {} : { statuses: [status as ProposalStatus] };
  const page = useFresh(ProposalsPageDocument, { filter, after: cursors.at(-1) ?? null });
  const list = page.data?.proposals;
  const search = (fields: Readonly<Record<string, string>>): void => {
    setCursors([]);
    setStatus(fields['status'] ?? '');
  };
  return (
    <>
      <Title>Proposals</Title>
      <FailureNote failures={[page.failure]} />
      <p>Changes that agents and people propose. Nothing runs before a person approves it.</p>
      <FilterForm onSearch={search}>
        <label>
          Status{' '}
          <select name="status" defaultValue={waiting}>
            <option value="">any</option>
            {proposalStatuses.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </label>
      </FilterForm>
      {list && <ProposalTable proposals={list.nodes} />}
      <Pager cursors={cursors} pageInfo={list?.pageInfo} onGo={setCursors} />
    </>
  );
}

type Proposal = NonNullable<ProposalsPageQuery['proposals']>['nodes'][number];

const columns = ['Proposal', 'Time', 'By', 'Change', 'Stakes', 'Status', 'Reason'] as const;

function ProposalTable({ proposals }: { proposals: readonly Proposal[] }) {
  if (proposals.length === 0) return <p className="muted">no proposals</p>;
  return (
    <Table label="Proposals" columns={columns}>
      {proposals.map(({ id, ref, createdAt, agent, person, mutation, preview, stakes, status, reason }) => (
        <tr key={id} data-proposal={ref}>
          <td>
            <Link to={proposalPath(ref)}>{ref}</Link>
          </td>
          <td>{minute(createdAt)}</td>
          <td>{agent ? `${agent.subject} for ${person.subject}` : person.subject}</td>
          <td className="name">
            {mutation}
            {preview.targetCount === null ? '' : ` of ${preview.targetCount}`}
          </td>
          <td>{stakes}</td>
          <td>{status}</td>
          <td className="name">{reason}</td>
        </tr>
      ))}
    </Table>
  );
}
