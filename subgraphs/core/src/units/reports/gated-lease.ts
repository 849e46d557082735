/** Leases of jobs that belong to a fleet: a fleet may pause, and release some of its jobs. */
import type { LeasedUnit } from '../work/lease-waiter.js';
import type { HeldAttempt } from './attempts.js';

/** Says whether jobs receive units. */
export interface UnitGates {
  /** OPEN if the job receives units, PAUSED if it does not now, RELEASED if it receives none any more. */
  of(fleetId: string, jobId: string): Promise<'OPEN' | 'PAUSED' | 'RELEASED'>;
  /** Calls the listener when this changes for a job. @returns function that removes it */
  onChange(fleetId: string, jobId: string, listener: () => void): () => void;
}

/** A lease that can end before there are units. */
export interface GatedLease {
  lease(signal: AbortSignal): Promise<readonly LeasedUnit[]>;
  /** False for a call that does not wait. */
  readonly isPatient: boolean;
  readonly signal: AbortSignal;
}

/** Leases units while the fleet of the job lets it, and waits while the fleet is paused. */
export async function leaseThrough(
  gates: UnitGates,
  { fleetId, jobId }: Pick<HeldAttempt, 'fleetId' | 'jobId'>,
  { lease, isPatient, signal }: GatedLease,
): Promise<{ readonly units: readonly LeasedUnit[]; readonly isReleased: boolean }> {
  if (fleetId === undefined) return { units: await lease(signal), isReleased: false };
  for (;;) {
    const closing = new AbortController();
    const close = (): void => closing.abort();
    const unwatch = gates.onChange(fleetId, jobId, close);
    signal.addEventListener('abort', close, { once: true });
    if (signal.aborted) close();
    try {
      const gate = await gates.of(fleetId, jobId);
      if (gate === 'RELEASED') return { units: [], isReleased: true };
      if (gate === 'OPEN') {
        const units = await lease(closing.signal);
        if (units.length > 0) return { units, isReleased: false };
      } else if (isPatient) await aborted(closing.signal);
      if (!isPatient || signal.aborted) return { units: [], isReleased: false };
      // The lease of an open fleet may also end without a change, at the stop of the process.
      if (!closing.signal.aborted) return { units: [], isReleased: false };
    } finally {
      unwatch();
      signal.removeEventListener('abort', close);
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
