import { useFresh } from '../api/use-fresh.js';
import { Facts } from '../components/facts.js';
import { FailureNote } from '../components/failure-note.js';
import { NoSuch } from '../components/no-such.js';
import { Title } from '../components/title.js';
import { AuditEntryPageDocument } from '../operations.generated.js';

/** One entry of the audit log. */
export function AuditEntryPage({ id }: { id: string }) {
  const { data, failure } = useFresh(AuditEntryPageDocument, { id });
  const entry = data?.auditEntry;
  if (entry === null && failure === null) return <NoSuch what="entry" id={id} />;
  return (
    <>
      <Title>{entry?.action ?? id}</Title>
      <FailureNote failures={[failure]} />
      {entry && (
        <Facts
          facts={{
            Result: [entry.result, ...entry.codes].join(' '),
            Kind: entry.kind,
            Principal: entry.actor && `${entry.actor.kind} ${entry.actor.subject}`,
            Human: entry.actor?.human?.subject,
            Issuer: entry.actor?.issuer,
            Token: entry.actor?.tokenId,
            Experiment: entry.experimentName,
            Began: entry.at,
            Ended: entry.endedAt,
            Targets: entry.targets.count,
            Identifiers: entry.targets.ids.join(' ') || null,
            Fields: entry.targets.fields.join(' ') || null,
            'Digest of the arguments': entry.targets.digest,
            Client: `${entry.client.name} ${entry.client.version}`,
            Address: entry.client.address,
            Request: entry.requestId,
            Repeats: entry.repeatCount,
            Chain: `${entry.chain}, position ${entry.sequence}`,
          }}
        />
      )}
    </>
  );
}
