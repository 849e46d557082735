/** Position of a simulation with its totals so far, as an opaque text: processes keep nothing meanwhile. */
import { DomainError } from '@rhizome/errors';
import { decodeCursor, encodeCursor, orderSignature } from '@rhizome/mongo';
import { isTotals, type SimulationTotals } from './simulation-totals.js';

/** Position of a simulation. */
export interface SimulationPosition {
  /** Start of the simulated days. */
  readonly since: Date;
  /** Oldest job that was scanned. */
  readonly last: string;
  readonly totals: SimulationTotals;
}

const signature = orderSignature('simulatePolicy');

/** @param digest of the policy and the days, which must be the same in all calls */
export function simulationCursor(digest: string, { since, last, totals }: SimulationPosition): string {
  return encodeCursor(signature, [digest, since, last, JSON.stringify(totals)]);
}

/** @param rules number of rules of the policy. @throws DomainError CURSOR_INVALID */
export function simulationPosition(cursor: string, digest: string, rules: number): SimulationPosition {
  const [given, since, last, text] = decodeCursor(cursor, signature, 4);
  const totals = typeof text === 'string' ? parsed(text) : undefined;
  if (given === digest && since instanceof Date && typeof last === 'string' && isTotals(totals, rules))
    return { since, last, totals };
  const value = cursor.slice(0, 100);
  throw new DomainError('CURSOR_INVALID', `after: "${value}" is not a cursor of this simulation`, {
    field: 'after',
    value,
    expected: 'the cursor of the previous call with the same input, or none',
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
