import { useEffect, useMemo, useState } from 'react';
import { Provider } from 'urql';
import { type Api, createApi } from './api/api.js';
import { useFresh } from './api/use-fresh.js';
import { ConnectionBadge } from './components/connection-badge.js';
import { ViewerDocument } from './operations.generated.js';
import { Title } from './components/title.js';
import { AuditPage } from './pages/audit.js';
import { AuditEntryPage } from './pages/audit-entry.js';
import { JobPage } from './pages/job.js';
import { OverviewPage } from './pages/overview.js';
import { TaskPage } from './pages/task.js';
import { Link, useRoute } from './routing/link.js';
import { TokenForm } from './session/token-form.js';
import { dropToken } from './session/token.js';

/** The whole application: a token, then the pages. */
export function App({ initialToken }: { initialToken: string | null }) {
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
  return <SignedIn token={token} onLeave={leave} />;
}

function SignedIn({ token, onLeave }: { token: string; onLeave: (why: string | null) => void }) {
  const api = useMemo(
    () =>
      createApi({
        origin: window.location.origin,
        token,
        onTokenRefused: ({ code }) =>
          onLeave(
            code === 'TOKEN_EXPIRED' ? 'The token has expired.' : 'The gateway does not take this token.',
          ),
      }),
    // A new token is a new connection; who leaves is the same all the time.
    [token],
  );
  useEffect(() => () => api.close(), [api]);
  return (
    <Provider value={api.client}>
      <Frame api={api} onLeave={() => onLeave(null)} />
    </Provider>
  );
}

const none = {};

function Frame({ api, onLeave }: { api: Api; onLeave: () => void }) {
  const viewer = useFresh(ViewerDocument, none);
  return (
    <>
      <header>
        <Link to="/">Rhizome</Link>
        <ConnectionBadge connection={api.connection} />
        <Link to="/audit">Audit</Link>
        <span className="grow" />
        <span className="who">{viewer.data?.viewer.subject ?? ''}</span>
        <button type="button" onClick={onLeave}>
          Leave
        </button>
      </header>
      <main>
        <Page />
      </main>
    </>
  );
}

function Page() {
  const route = useRoute();
  if (route.page === 'overview') return <OverviewPage />;
  if (route.page === 'task') return <TaskPage key={route.id} id={route.id} />;
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
