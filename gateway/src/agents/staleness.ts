/** Finds the changes of a proposal's objects since they were read. */
import type { ProposalDocument, StoredTarget } from '@rhizome/agents';
import type { Principal } from '@rhizome/authz';
import type { BorrowEngine } from '../own-operation.js';
import { jobStatesOf } from './mutation-rules.js';
import { versionsOf } from './targets.js';

/**
 * True if an approval would not change what the proposer saw, as the principal may read the objects now. Jobs
 * that have ended meanwhile do not count while others are left: the mutation leaves them as they are.
 * @throws DomainError SERVICE_UNAVAILABLE
 */
export async function isStale(
  borrow: BorrowEngine,
  principal: Principal,
  { mutation, targets }: Pick<ProposalDocument, 'mutation' | 'targets'>,
): Promise<boolean> {
  return isChanged(mutation, targets, await versionsOf(borrow, principal, targets));
}

/** The rule of {@link isStale} for objects that were read. */
export function isChanged(
  mutation: string,
  targets: readonly StoredTarget[],
  now: ReadonlyMap<string, StoredTarget>,
): boolean {
  const states = jobStatesOf(mutation);
  if (!states) return targets.some(({ id, state, attempt }) => !isSame(now.get(id), { state, attempt }));
  const isOther = targets.some(({ id, state, attempt }) => {
    const found = now.get(id);
    // A job that the mutation would have left as it was, and would change now, is another change.
    return found?.attempt !== attempt || (states.has(found.state) && !states.has(state));
  });
  return isOther || !targets.some(({ id }) => states.has(now.get(id)?.state ?? ''));
}

function isSame(
  found: StoredTarget | undefined,
  { state, attempt }: Pick<StoredTarget, 'state' | 'attempt'>,
): boolean {
  return found?.state === state && found.attempt === attempt;
}
