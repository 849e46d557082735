import { useEffect, useMemo, useState } from 'react';
import { Provider } from 'urql';
import { type Api, createApi } from './api/api.js';
import { useFresh } from './api/use-fresh.js';
import { ConnectionBadge } from './components/connection-badge.js';
import { LeaseClockNote } from './components/lease-clock-note.js';
import { ViewerDocument } from './operations.generated.js';
import { Title } from './components/title.js';
import { AuditPage } from './pages/audit.js';
import { AuditEntryPage } from './pages/audit-entry.js';
import { ErrorsPage } from './pages/errors.js';
import { IdentitiesPage, type Linking } from './pages/identities.js';
import { JobPage } from './pages/job.js';
import { JobsPage } from './pages/jobs.js';
import { ProposalPage } from './pages/proposal.js';
import { ProposalsPage } from './pages/proposals.js';
import { OverviewPage } from './pages/overview.js';
import { QueuePage } from './pages/queue.js';
import { QueuesPage } from './pages/queues.js';
import { TaskPage } from './pages/task.js';
import { WorkflowPage } from './pages/workflow.js';
import { WorkflowsPage } from './pages/workflows.js';
import { Link, useRoute } from './routing/link.js';
import { LoginPage } from './session/login-page.js';
import { Elevation } from './session/elevation.js';
import { endSession, readSession, type Session } from './session/session.js';
import { TokenForm } from './session/token-form.js';
import { dropToken } from './session/token.js';

interface AppProps {
  /** The token of this tab, for gateways that offer no login. */
  readonly token: () => string | null;
  /** Proof of a second identity with which the browser came back from its issuer. */
  readonly linkProof: string | null;
}

/** The whole application: a login or a token, then the pages. */
export function App({ token, linkProof }: AppProps) {
  const [session, setSession] = useState<Session | null | undefined>(undefined);
  const [fault, setFault] = useState<string | null>(null);
  useEffect(() => {
    readSession().then(setSession, (error: unknown) => setFault(String(error)));
  }, []);
  if (fault !== null) return <p role="alert">The gateway cannot be reached: {fault}</p>;
  if (session === undefined) return null;
  return session === null ? (
    <WithToken initialToken={token()} />
  ) : (
    <WithSession session={session} linkProof={linkProof} onChange={setSession} />
  );
}

/** The pages with the session of this browser. */
function WithSession({
  session,
  linkProof,
  onChange,
}: {
  session: Session;
  linkProof: string | null;
  onChange: (session: Session | null) => void;
}) {
  const [reason, setReason] = useState<string | null>(null);
  const [proof, setProof] = useState(linkProof);
  if (!session.isLoggedIn) return <LoginPage session={session} reason={reason} />;
  const leave = (why: string | null, code?: string): void => {
    setReason(why);
    const loggedOut = (): void => onChange({ ...session, isLoggedIn: false });
    if (why === null) void endSession().finally(loggedOut);
    else if (code !== 'TOKEN_REVOKED') loggedOut();
    // An elevation was ended, by somebody or in another window: the session goes on without it.
    else
      void readSession().then((now) => (now?.isLoggedIn ? window.location.reload() : loggedOut()), loggedOut);
  };
  const linking = { issuers: session.issuers, proof, onDone: () => setProof(null) };
  return <SignedIn token={null} linking={linking} onLeave={leave} />;
}

/** The pages with a token of this tab. */
function WithToken({ initialToken }: { initialToken: string | null }) {
  const [token, setToken] = useState(initialToken);
  const [reason, setReason] = useState<string | null>(null);
  if (token === null)
    return (
      <TokenForm
        reason={reason}
        onToken={(given) => {
          setReason(null);
          setToken(given);
        }}
      />
    );
  const leave = (why: string | null): void => {
    dropToken(window.sessionStorage);
    setReason(why);
    setToken(null);
  };
  return <SignedIn token={token} linking={null} onLeave={leave} />;
}

interface SignedInProps {
  readonly token: string | null;
  readonly linking: Linking | null;
  /** Called with the reason, and the code of the error that it is; null if the person leaves. */
  readonly onLeave: (why: string | null, code?: string) => void;
}

function SignedIn({ token, linking, onLeave }: SignedInProps) {
  const api = useMemo(
    () =>
      createApi({
        origin: window.location.origin,
        token,
        onTokenRefused: ({ code }) =>
          onLeave(
            token === null
              ? 'The session has ended.'
              : code === 'TOKEN_EXPIRED'
                ? 'The token has expired.'
                : 'The gateway does not take this token.',
            code,
          ),
      }),
    // A new token is a new connection; who leaves is the same all the time.
    [token],
  );
  useEffect(() => () => api.close(), [api]);
  return (
    <Provider value={api.client}>
      <Frame api={api} linking={linking} onLeave={() => onLeave(null)} />
    </Provider>
  );
}

const none = {};

interface FrameProps {
  readonly api: Api;
  /** Null with a token of this tab, for which nobody can take roles or link identities here. */
  readonly linking: Linking | null;
  readonly onLeave: () => void;
}

function Frame({ api, linking, onLeave }: FrameProps) {
  const viewer = useFresh(ViewerDocument, none);
  const roles = new Set(viewer.data?.viewer.grants.flatMap((grant) => grant.roles));
  return (
    <>
      <header>
        <Link to="/">Rhizome</Link>
        <ConnectionBadge connection={api.connection} />
        <Link to="/jobs">Jobs</Link>
        <Link to="/workflows">Workflows</Link>
        <Link to="/queues">Queues</Link>
        <Link to="/errors">Errors</Link>
        <Link to="/audit">Audit</Link>
        <Link to="/proposals">Proposals</Link>
        <span className="grow" />
        <span className="who">
          {viewer.data && <Link to="/identities">{viewer.data.viewer.subject}</Link>}
        </span>
        <button type="button" onClick={onLeave}>
          Leave
        </button>
      </header>
      <main>
        {linking && viewer.data && <Elevation current={viewer.data.viewer.elevation} />}
        {(roles.has('ADMIN') || roles.has('OPERATOR')) && <LeaseClockNote />}
        <Page linking={linking} />
      </main>
    </>
  );
}

function Page({ linking }: { linking: Linking | null }) {
  const route = useRoute();
  if (route.page === 'overview') return <OverviewPage />;
  if (route.page === 'task') return <TaskPage key={route.id} id={route.id} />;
  if (route.page === 'jobs') return <JobsPage />;
  if (route.page === 'workflows') return <WorkflowsPage />;
  if (route.page === 'workflow') return <WorkflowPage key={route.id} id={route.id} />;
  if (route.page === 'queues') return <QueuesPage />;
  if (route.page === 'queue') return <QueuePage key={route.id} name={route.id} />;
  if (route.page === 'errors') return <ErrorsPage />;
  if (route.page === 'identities') return <IdentitiesPage linking={linking} />;
  if (route.page === 'proposals') return <ProposalsPage />;
  if (route.page === 'proposal') return <ProposalPage key={route.id} id={route.id} />;
  if (route.page === 'audit') return <AuditPage />;
  if (route.page === 'auditEntry') return <AuditEntryPage key={route.id} id={route.id} />;
  if (route.page === 'job') return <JobPage key={route.id} id={route.id} />;
  return (
    <>
      <Title>Nothing here</Title>
      <p role="alert">There is nothing at {route.path}.</p>
    </>
  );
}
