import { type FormEvent, type ReactNode, useState } from 'react';
import { useMutation } from 'urql';
import { useFresh } from '../api/use-fresh.js';
import { Facts } from '../components/facts.js';
import { FailureNote } from '../components/failure-note.js';
import { NoSuch } from '../components/no-such.js';
import { Table } from '../components/table.js';
import { Title } from '../components/title.js';
import { second } from '../components/utc.js';
import { visibleText } from '../components/visible-text.js';
import {
  ApproveProposalDocument,
  DenyProposalDocument,
  type ProposalDetailsFragment,
  ProposalPageDocument,
} from '../operations.generated.js';
import { Link } from '../routing/link.js';
import { jobPath, queuePath, taskPath, workflowPath } from '../routing/routes.js';

/** One proposal: its effects and evidence, and buttons for those who may decide. */
export function ProposalPage({ id }: { id: string }) {
  const page = useFresh(ProposalPageDocument, { id });
  const [decided, setDecided] = useState<ProposalDetailsFragment | null>(null);
  const [fault, setFault] = useState<string | null>(null);
  const read = page.data?.proposal;
  // The answer of a decision may be newer than what was read, and the other way round.
  const proposal = decided && (!read || decided.revision >= read.revision) ? decided : read;
  if (proposal === null && page.failure === null) return <NoSuch what="proposal" id={id} />;
  return (
    <>
      <Title>{proposal?.ref ?? id}</Title>
      <FailureNote failures={[page.failure, fault]} />
      {proposal && <Overview proposal={proposal} />}
      {proposal?.viewerCanDecide && (
        <Decision
          proposal={proposal}
          onDecided={(now, why) => {
            if (now) setDecided(now);
            setFault(why);
            page.refresh();
          }}
        />
      )}
      {proposal && <Targets targets={proposal.preview.targets} count={proposal.preview.targetCount} />}
      {proposal && <Json title="Variables" value={proposal.variables} />}
      {proposal?.preview.isDryRun && <Json title="Dry run" value={proposal.preview.dryRun} />}
      {proposal?.outcome && <Outcome outcome={proposal.outcome} />}
    </>
  );
}

function Overview({ proposal }: { proposal: ProposalDetailsFragment }) {
  const { agent, person, preview, decision, evidence } = proposal;
  const note = decision?.note == null ? '' : `: ${decision.note}`;
  return (
    <>
      <Facts
        facts={{
          Status: proposal.status,
          Change: proposal.mutation,
          Stakes: proposal.stakes,
          Experiment: proposal.experimentName,
          Agent: agent?.subject,
          Person: person.subject,
          Reason: visibleText(proposal.reason),
          Objects: preview.targetCount,
          'Left as they are': preview.refusedCount > 0 ? preview.refusedCount : null,
          'Core-hours': preview.coreHours,
          'GPU-hours': preview.gpuHours,
          Proposed: second(proposal.createdAt),
          Expires: second(proposal.expiresAt),
          Decision:
            decision && `${decision.isApproval ? 'approved' : 'denied'} by ${decision.by.subject}${note}`,
          'Four eyes': proposal.isFourEyes ? 'another person than that of the proposal must decide' : null,
        }}
      />
      {evidence.length > 0 && (
        <section>
          <h2>Evidence</h2>
          <ul>
            {evidence.map(({ text, url }) => (
              <li key={`${text} ${url}`}>
                {visibleText(text)} {url !== null && <EvidenceLink url={url} />}
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}

/** A path leads within the dashboard. Another address is shown as a text: proposers choose it. */
function EvidenceLink({ url }: { url: string }) {
  return url.startsWith('/') ? <Link to={url}>{url}</Link> : <span className="name">({url})</span>;
}

function Decision({
  proposal,
  onDecided,
}: {
  proposal: ProposalDetailsFragment;
  onDecided: (now: ProposalDetailsFragment | null | undefined, fault: string | null) => void;
}) {
  const [{ fetching: isApproving }, approve] = useMutation(ApproveProposalDocument);
  const [{ fetching: isDenying }, deny] = useMutation(DenyProposalDocument);
  const [note, setNote] = useState('');
  const input = { id: proposal.id, note: note.trim() === '' ? null : note.trim() };
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    void approve({ input }).then(({ data, error }) =>
      onDecided(
        data?.approveProposal.proposal,
        error?.message ?? data?.approveProposal.userErrors[0]?.message ?? null,
      ),
    );
  };
  const refuse = (): void =>
    void deny({ input }).then(({ data, error }) =>
      onDecided(
        data?.denyProposal.proposal,
        error?.message ?? data?.denyProposal.userErrors[0]?.message ?? null,
      ),
    );
  const isBusy = isApproving || isDenying;
  return (
    <form className="card note" onSubmit={submit} aria-label="Decision">
      <p>The change runs with your rights as soon as you approve it.</p>
      <label>
        Note{' '}
        <input value={note} maxLength={1000} size={40} onChange={(event) => setNote(event.target.value)} />
      </label>{' '}
      <button type="submit" className="main" disabled={isBusy}>
        Approve
      </button>{' '}
      <button type="button" disabled={isBusy} onClick={refuse}>
        Deny
      </button>
    </form>
  );
}

const targetColumns = ['Type', 'Object', 'Name', 'State when proposed'] as const;

function Targets({
  targets,
  count,
}: {
  targets: ProposalDetailsFragment['preview']['targets'];
  count: number | null;
}) {
  if (targets.length === 0) return null;
  return (
    <section>
      <h2>Objects</h2>
      {count !== null && count > targets.length && <p>The first {targets.length} of them:</p>}
      <Table label="Objects" columns={targetColumns}>
        {targets.map(({ type, id, name, state }) => (
          <tr key={id}>
            <td>{type}</td>
            <td>{linkOf(type, id)}</td>
            <td className="name">{name}</td>
            <td>{state}</td>
          </tr>
        ))}
      </Table>
    </section>
  );
}

const paths: ReadonlyMap<string, (id: string) => string> = new Map([
  ['Job', jobPath],
  ['Task', taskPath],
  ['Workflow', workflowPath],
  ['Queue', queuePath],
]);

function linkOf(type: string, id: string): ReactNode {
  const path = paths.get(type);
  return path ? <Link to={path(id)}>{id}</Link> : id;
}

function Outcome({ outcome }: { outcome: NonNullable<ProposalDetailsFragment['outcome']> }) {
  const { data, errors, isUnknown } = outcome;
  return (
    <>
      {isUnknown && <p role="alert">Nobody knows whether the change was made. Look at its objects.</p>}
      <FailureNote
        failures={errors.map(({ code, message }) => (code === null ? message : `${code}: ${message}`))}
      />
      {data !== null && <Json title="Outcome" value={data} />}
    </>
  );
}

function Json({ title, value }: { title: string; value: unknown }) {
  return (
    <section>
      <h2>{title}</h2>
      <pre className="log" aria-label={title}>
        {visibleText(JSON.stringify(value, null, 2))}
      </pre>
    </section>
  );
}
