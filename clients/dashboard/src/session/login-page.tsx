import { Title } from '../components/title.js';
import type { Session } from './session.js';

/** Lists the issuers at which one can log in. */
export function LoginPage({ session, reason }: { session: Session; reason: string | null }) {
  const { pathname, search } = window.location;
  const to = encodeURIComponent(pathname + search);
  return (
    <section className="card">
      <Title>Log in</Title>
      {reason !== null && <p role="alert">{reason}</p>}
      <ul>
        {session.issuers.map(({ name }) => (
          <li key={name}>
            <a href={`/auth/login?issuer=${encodeURIComponent(name)}&to=${to}`}>{name}</a>
          </li>
        ))}
      </ul>
    </section>
  );
}
