import { useState } from 'react';
import { useMutation } from 'urql';
import { useFresh } from '../api/use-fresh.js';
import { FailureNote } from '../components/failure-note.js';
import { Table } from '../components/table.js';
import { Title } from '../components/title.js';
import { minute } from '../components/utc.js';
import {
  IdentitiesDocument,
  type IdentitiesQuery,
  LinkIdentityDocument,
  UnlinkIdentityDocument,
} from '../operations.generated.js';
import { type Account, accountOfProof } from '../session/link-proof.js';
import { type Session, startLink } from '../session/session.js';

/** Links of a session: null with a token of this tab, which can make none. */
export interface Linking {
  readonly issuers: Session['issuers'];
  /** Proof of the second identity with which the browser came back; null if there is none. */
  readonly proof: string | null;
  /** Called when the proof has been used, or is not wanted. */
  readonly onDone: () => void;
}

const none = {};

/** The linked identities of the person, and the logins that link another one. */
export function IdentitiesPage({ linking }: { linking: Linking | null }) {
  const page = useFresh(IdentitiesDocument, none);
  const [fault, setFault] = useState<string | null>(null);
  const account = linking?.proof == null ? null : accountOfProof(linking.proof);
  const identities = page.data?.linkedIdentities ?? [];
  const changed = (why: string | null): void => {
    setFault(why);
    page.refresh();
  };
  return (
    <>
      <Title>Identities</Title>
      <FailureNote failures={[page.failure, fault]} />
      {linking?.proof != null && account && (
        <Confirmation {...linking} proof={linking.proof} account={account} onChange={changed} />
      )}
      <p>
        With linked identities, you own the jobs of all of them. Each one keeps its own roles. You use{' '}
        <strong>{page.data?.viewer.subject}</strong>.
      </p>
      {page.data &&
        (identities.length === 0 ? (
          <p className="muted">no linked identities</p>
        ) : (
          <Identities identities={identities} own={page.data.viewer.subject} onChange={changed} />
        ))}
      {linking && <Issuers issuers={linking.issuers} onFault={setFault} />}
    </>
  );
}

/** Asks before it links: the issuer may know this browser as somebody else. */
function Confirmation({
  proof,
  account,
  onDone,
  onChange,
}: Linking & {
  readonly proof: string;
  readonly account: Account;
  readonly onChange: (fault: string | null) => void;
}) {
  const [{ fetching }, link] = useMutation(LinkIdentityDocument);
  const confirm = (): void =>
    void link({ input: { token: proof } }).then(({ data, error }) => {
      onChange(error?.message ?? data?.linkIdentity.userErrors[0]?.message ?? null);
      onDone();
    });
  return (
    <section className="card note" role="group" aria-label="Link">
      <p>
        You logged in as{' '}
        <strong>{account.name === null ? account.subject : `${account.name} (${account.subject})`}</strong> at{' '}
        {account.issuer}. Link this account only if it is yours: its owner gets your jobs.
      </p>
      <button type="button" className="main" disabled={fetching} onClick={confirm}>
        Link this account
      </button>{' '}
      <button type="button" onClick={onDone}>
        Cancel
      </button>
    </section>
  );
}

type Identity = NonNullable<IdentitiesQuery['linkedIdentities']>[number];

const columns = ['Identity', 'Accounts', 'Linked', ''] as const;

function Identities({
  identities,
  own,
  onChange,
}: {
  identities: readonly Identity[];
  own: string;
  onChange: (fault: string | null) => void;
}) {
  const [{ fetching }, unlink] = useMutation(UnlinkIdentityDocument);
  const end = (principalId: string): void =>
    void unlink({ input: { principalId } }).then(({ data, error }) =>
      onChange(error?.message ?? data?.unlinkIdentity.userErrors[0]?.message ?? null),
    );
  return (
    <Table label="Linked identities" columns={columns}>
      {identities.map(({ principalId, displayName, isSuspended, accounts, linkedAt }) => (
        <tr key={principalId} data-identity={principalId}>
          <td className="name">
            {displayName === null ? '' : `${displayName} `}
            {principalId}
            {principalId === own ? ' (in use)' : ''}
            {isSuspended ? ' (suspended)' : ''}
          </td>
          <td className="name">
            {accounts.map(({ issuer, subject }) => `${subject} at ${issuer}`).join(', ')}
          </td>
          <td>{minute(linkedAt)}</td>
          <td>
            <button
              type="button"
              disabled={fetching}
              aria-label={`Unlink ${principalId}`}
              onClick={() => end(principalId)}
            >
              Unlink
            </button>
          </td>
        </tr>
      ))}
    </Table>
  );
}

function Issuers({
  issuers,
  onFault,
}: {
  issuers: Session['issuers'];
  onFault: (fault: string | null) => void;
}) {
  const start = (name: string): void => {
    onFault(null);
    startLink(name).catch((error: unknown) => onFault((error as Error).message));
  };
  return (
    <section>
      <h2>Link another account</h2>
      <p>Log in at its issuer. This session goes on as it is.</p>
      <p className="filter">
        {issuers.map(({ name }) => (
          <button key={name} type="button" onClick={() => start(name)}>
            Log in at {name}…
          </button>
        ))}
      </p>
    </section>
  );
}
