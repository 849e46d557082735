import { jobStates } from '@rhizome/client/states';

/** Name of a state in its colour. */
export function State({ state }: { state: string }) {
  return <span className={`state state-${state.toLowerCase()}`}>{state}</span>;
}

/** One tile for each state that has jobs, in the order of a job's life cycle. */
export function StateTiles({ counts, label }: { counts: ReadonlyMap<string, number>; label: string }) {
  const shown = jobStates.filter((state) => (counts.get(state) ?? 0) > 0);
  return (
    <ul className="tiles" aria-label={label}>
      {shown.map((state) => (
        <li key={state} data-state={state}>
          <strong>{counts.get(state)?.toLocaleString('en')}</strong>
          <State state={state} />
        </li>
      ))}
      {shown.length === 0 && <li className="muted">no jobs</li>}
    </ul>
  );
}
