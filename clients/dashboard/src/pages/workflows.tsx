import { workflowStates } from '@rhizome/client/states';
import { useState } from 'react';
import { useFresh } from '../api/use-fresh.js';
import { FailureNote } from '../components/failure-note.js';
import { FilterForm } from '../components/filter-form.js';
import { NodeCounts, NodeLegend } from '../components/node-state.js';
import { type Cursors, Pager } from '../components/pager.js';
import { State } from '../components/state.js';
import { Table } from '../components/table.js';
import { Title } from '../components/title.js';
import { minute } from '../components/utc.js';
import { WorkflowListDocument, type WorkflowListQuery, type WorkflowState } from '../operations.generated.js';
import { Link } from '../routing/link.js';
import { workflowPath } from '../routing/routes.js';

interface Fields {
  readonly state?: WorkflowState;
  readonly name?: string;
}

/** Workflows that the viewer may see, the newest first, in pages. */
export function WorkflowsPage() {
  const [{ state, name }, setFields] = useState<Fields>({});
  const [cursors, setCursors] = useState<Cursors>([]);
  const filter = { ...(state && { states: [state] }), ...(name !== undefined && { names: [name] }) };
  const page = useFresh(WorkflowListDocument, { filter, after: cursors.at(-1) ?? null });
  const list = page.data?.workflows;
  const search = (fields: Fields): void => {
    setCursors([]);
    setFields(fields);
  };
  return (
    <>
      <Title>Workflows</Title>
      <FailureNote failures={[page.failure]} />
      <FilterForm onSearch={(fields) => search(fields as Fields)}>
        <label>
          Name <input name="name" />
        </label>{' '}
        <label>
          State{' '}
          <select name="state" defaultValue="">
            <option value="">any</option>
            {workflowStates.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </label>
      </FilterForm>
      <WorkflowTable workflows={list?.nodes ?? []} />
      <Pager cursors={cursors} pageInfo={list?.pageInfo} onGo={setCursors} />
      <NodeLegend />
    </>
  );
}

const columns = ['Name', 'State', 'Nodes', 'Experiment', 'Owner', 'Submitted'] as const;

function WorkflowTable({ workflows }: { workflows: WorkflowListQuery['workflows']['nodes'] }) {
  if (workflows.length === 0) return <p className="muted">no workflows</p>;
  return (
    <Table label="Workflows" columns={columns}>
      {workflows.map(({ id, name, state, counts, experiment, owner, createdAt }) => (
        <tr key={id} data-workflow={id}>
          <td className="name">
            <Link to={workflowPath(id)}>{name}</Link>
          </td>
          <td>
            <State state={state} />
          </td>
          <td className="number">
            <NodeCounts counts={counts} />
          </td>
          <td>{experiment.name}</td>
          <td>{owner.subject}</td>
          <td>{minute(createdAt)}</td>
        </tr>
      ))}
    </Table>
  );
}
