import { useState } from 'react';
import { useFresh } from '../api/use-fresh.js';
import { FailureNote } from '../components/failure-note.js';
import { State } from '../components/state.js';
import { Table } from '../components/table.js';
import { Title } from '../components/title.js';
import { type QueueSummaryFragment, QueuesPageDocument } from '../operations.generated.js';
import { Link } from '../routing/link.js';
import { queuePath } from '../routing/routes.js';

const columns = ['Queue', 'Site', 'State', 'Reason', 'Health'] as const;

/** The queues by name, with their states and health. */
export function QueuesPage() {
  const [after, setAfter] = useState<string | null>(null);
  const page = useFresh(QueuesPageDocument, { after });
  const { nodes = [], pageInfo } = page.data?.queues ?? {};
  return (
    <>
      <Title>Queues</Title>
      <FailureNote failures={[page.failure]} />
      {page.data && nodes.length === 0 && <p className="muted">no queues</p>}
      {nodes.length > 0 && (
        <Table label="Queues" columns={columns}>
          {nodes.map(({ id, name, site, state, stateReason, health }) => (
            <tr key={id} data-queue={name}>
              <td className="name">
                <Link to={queuePath(name)}>{name}</Link>
              </td>
              <td>{site.name}</td>
              <td>
                <State state={state} />
              </td>
              <td className="note">{stateReason}</td>
              <td>{healthText(health)}</td>
            </tr>
          ))}
        </Table>
      )}
      {after !== null && (
        <button type="button" onClick={() => setAfter(null)}>
          First page
        </button>
      )}
      {pageInfo?.hasNextPage === true && (
        <button type="button" onClick={() => setAfter(pageInfo.endCursor)}>
          Next page
        </button>
      )}
    </>
  );
}

/** Health by the canary jobs of the last 24 hours, in a few words. */
export function healthText(health: QueueSummaryFragment['health']): string {
  if (!health) return 'no canary jobs';
  if (health.problem !== null) return 'not submitted';
  const { latest, canaryCount, successFraction } = health;
  if (successFraction === null) return latest ? latest.outcome : 'none ended yet';
  return `${Math.floor(successFraction * 100)} % of ${canaryCount} finished`;
}
