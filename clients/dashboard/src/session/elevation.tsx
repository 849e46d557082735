/** Roles that the person takes for a short time (break-glass), for the session of this browser alone. */
import { type FormEvent, useEffect, useState } from 'react';
import { useMutation } from 'urql';
import { minute } from '../components/utc.js';
import { StartElevationDocument, type ViewerQuery } from '../operations.generated.js';
import { type ElevatableRoles, endElevation, readElevatable } from './session.js';

/** Longest elevation, in minutes. */
const maxMinutes = 60;

/** Streams and queries of the page have the old roles: they are opened again. */
const reload = (): void => window.location.reload();

/** The elevation and a button that ends it; otherwise a form for those who have roles to take. */
export function Elevation({ current }: { current: ViewerQuery['viewer']['elevation'] }) {
  const [elevatable, setElevatable] = useState<readonly ElevatableRoles[]>([]);
  const [isOpen, setOpen] = useState(false);
  const isElevated = current !== null;
  useEffect(() => {
    if (!isElevated) void readElevatable().then(setElevatable);
  }, [isElevated]);
  if (current !== null) return <Current current={current} />;
  if (elevatable.length === 0) return null;
  if (isOpen) return <ElevationForm elevatable={elevatable} onClose={() => setOpen(false)} />;
  return (
    <button type="button" onClick={() => setOpen(true)}>
      Take roles…
    </button>
  );
}

function Current({ current }: { current: NonNullable<ViewerQuery['viewer']['elevation']> }) {
  const { experimentName, roles, expiresAt } = current;
  useEffect(() => {
    const timer = setTimeout(reload, Math.max(0, new Date(expiresAt).getTime() - Date.now()));
    return () => clearTimeout(timer);
  }, [expiresAt]);
  return (
    <p className="failures" role="note" aria-label="Elevation">
      You have the roles {roles.join(', ')} in {experimentName === '*' ? 'all experiments' : experimentName}{' '}
      until {minute(expiresAt)} UTC. What you do with them is in the audit log.{' '}
      <button type="button" onClick={() => void endElevation().finally(reload)}>
        End elevation
      </button>
    </p>
  );
}

function ElevationForm({
  elevatable,
  onClose,
}: {
  elevatable: readonly ElevatableRoles[];
  onClose: () => void;
}) {
  const [{ fetching }, start] = useMutation(StartElevationDocument);
  const [fault, setFault] = useState<string | null>(null);
  const choices = elevatable.flatMap(({ experiment, roles }) => roles.map((role) => ({ experiment, role })));
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const choice = choices[Number(form.get('choice'))];
    if (!choice) return;
    const { experiment, role } = choice;
    const reason = String(form.get('reason'));
    const minutes = Number(form.get('minutes'));
    void start({ input: { experiment, roles: [role], reason, minutes } }).then(({ data, error }) => {
      const message = error?.message ?? data?.startElevation.userErrors[0]?.message;
      if (message === undefined) reload();
      else setFault(message);
    });
  };
  return (
    <form onSubmit={submit} aria-label="Take roles">
      <label>
        Role{' '}
        <select name="choice">
          {choices.map(({ experiment, role }, at) => (
            <option key={`${experiment} ${role}`} value={at}>
              {role} in {experiment === '*' ? 'all experiments' : experiment}
            </option>
          ))}
        </select>
      </label>{' '}
      <label>
        Reason <input name="reason" required minLength={10} maxLength={1000} size={40} />
      </label>{' '}
      <label>
        Minutes <input name="minutes" type="number" defaultValue={30} min={1} max={maxMinutes} />
      </label>{' '}
      <button type="submit" disabled={fetching}>
        Take
      </button>{' '}
      <button type="button" onClick={onClose}>
        Cancel
      </button>
      {fault !== null && <p role="alert">{fault}</p>}
    </form>
  );
}
