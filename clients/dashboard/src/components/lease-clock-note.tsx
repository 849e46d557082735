import { useEffect } from 'react';
import { useFresh } from '../api/use-fresh.js';
import { LeaseClockDocument, type LeaseClockQuery } from '../operations.generated.js';

const none = {};
const refreshMs = 10_000;

/** For operators: that no workers are lost now, and why; nothing while the lease clock runs. */
export function LeaseClockNote() {
  const { data, refresh } = useFresh(LeaseClockDocument, none);
  useEffect(() => {
    const timer = setInterval(refresh, refreshMs);
    return () => clearInterval(timer);
  }, [refresh]);
  if (!data || data.leaseClock.state === 'RUNNING') return null;
  return (
    <p className="failures" role="note" aria-label="Lease clock">
      {textOf(data.leaseClock)}
    </p>
  );
}

function textOf({ state, reason, postponedUntil }: LeaseClockQuery['leaseClock']): string {
  const because = reason === null ? '' : `: ${reason}`;
  if (state !== 'POSTPONED') return `No worker is lost now${because}.`;
  const until = postponedUntil === null ? '' : `, until ${postponedUntil} at the latest`;
  return `Losses of workers are postponed${until}${because}.`;
}
