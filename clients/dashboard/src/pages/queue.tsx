import { useFresh } from '../api/use-fresh.js';
import { useLive } from '../api/use-live.js';
import { QueueDiagnosis } from '../components/diagnosis.js';
import { Facts } from '../components/facts.js';
import { FailureNote } from '../components/failure-note.js';
import { NoSuch } from '../components/no-such.js';
import { State } from '../components/state.js';
import { Table } from '../components/table.js';
import { Title } from '../components/title.js';
import { minute } from '../components/utc.js';
import {
  type DowntimeRowFragment,
  QueueMovesDocument,
  QueuePageDocument,
  type QueuePageQuery,
  type QueueSummaryFragment,
} from '../operations.generated.js';
import { Link } from '../routing/link.js';
import { jobPath } from '../routing/routes.js';
import { healthText } from './queues.js';

type Queue = NonNullable<QueuePageQuery['queue']>;

/** A queue: its state, who set it and why, its health, hosts that fail jobs, and downtimes. */
export function QueuePage({ name }: { name: string }) {
  const names = [name];
  const moves = useLive(QueueMovesDocument, { names }, (count) => count + 1, 0);
  const page = useFresh(QueuePageDocument, { name, names }, moves.state);
  const { data } = page;
  if (data && !data.queue) return <NoSuch what="queue" id={name} />;
  return (
    <>
      <Title>{`Queue ${name}`}</Title>
      <FailureNote failures={[page.failure, moves.failure]} />
      {data?.queue && (
        <>
          <QueueFacts queue={data.queue} />
          <QueueDiagnosis name={name} state={data.queue.state} />
          <h2>Health</h2>
          <Health health={data.queue.health} />
          <h2>Hosts that failed jobs</h2>
          <Hosts hosts={data.hosts} />
          <h2>Downtimes</h2>
          <Downtimes downtimes={data.downtimes.nodes} label="Downtimes" />
          <h2>Past downtimes</h2>
          <Downtimes downtimes={[...data.past.nodes].reverse()} label="Past downtimes" />
        </>
      )}
    </>
  );
}

function QueueFacts({ queue }: { queue: Queue }) {
  const { site, state, stateReason, stateChangedBy, stateChangedAt, workers } = queue;
  return (
    <Facts
      facts={{
        Site: site.name,
        State: <State state={state} />,
        Reason: stateReason,
        'Set by': stateChangedBy.subject,
        'Set at': minute(stateChangedAt),
        Workers: workers.totalCount ?? 'more than 10,000',
      }}
    />
  );
}

function Health({ health }: { health: QueueSummaryFragment['health'] }) {
  const latest = health?.latest;
  return (
    <Facts
      facts={{
        'Canary jobs of 24 hours': healthText(health),
        Latest: latest && (
          <>
            {latest.outcome}
            {latest.errorCode !== null && ` (${latest.errorCode})`} at {minute(latest.endedAt)}
            {latest.hostName !== null && ` on ${latest.hostName}`}{' '}
            {latest.job && <Link to={jobPath(latest.job.id)}>job</Link>}
          </>
        ),
        Problem: health?.problem,
        'Problem of host tests': health?.hostProblem,
      }}
    />
  );
}

const hostColumns = ['Host', 'State', 'Since', 'Until', 'Reason', 'Decided by'] as const;

function Hosts({ hosts: { nodes, pageInfo } }: { hosts: QueuePageQuery['hosts'] }) {
  if (nodes.length === 0) return <p className="muted">none</p>;
  return (
    <>
      <Table label="Hosts that failed jobs" columns={hostColumns}>
        {nodes.map(({ id, name, state, since, until, reason, decidedBy }) => (
          <tr key={id} data-host={name}>
            <td className="name">{name}</td>
            <td>
              <State state={state} />
            </td>
            <td>{minute(since)}</td>
            <td>{until === null ? '' : minute(until)}</td>
            <td className="note">{reason}</td>
            <td>{decidedBy.subject}</td>
          </tr>
        ))}
      </Table>
      {pageInfo.hasNextPage && <p className="muted">and further hosts; `rhizome host list` has them all</p>}
    </>
  );
}

const downtimeColumns = ['From', 'To', 'State', 'Of', 'Reason', 'Declared by'] as const;

function Downtimes({ downtimes, label }: { downtimes: readonly DowntimeRowFragment[]; label: string }) {
  if (downtimes.length === 0) return <p className="muted">none</p>;
  return (
    <Table label={label} columns={downtimeColumns}>
      {downtimes.map(({ id, startsAt, endsAt, state, site, reason, declaredBy }) => (
        <tr key={id}>
          <td>{minute(startsAt)}</td>
          <td>{minute(endsAt)}</td>
          <td>
            <State state={state} />
          </td>
          <td>{site ? `site ${site.name}` : 'this queue'}</td>
          <td className="note">{reason}</td>
          <td>{declaredBy.subject}</td>
        </tr>
      ))}
    </Table>
  );
}
