/** Rules of the end of a run, all pure. A lane that takes no slices does not keep a run from ending. */
import type { Lane, LiveRunDocument } from '../model/live-run.document.js';
import type { PathName } from '../model/live-run.types.js';

/** Time after the end of a run after which what cannot be worked on is given up, in milliseconds. */
export const giveUpMs = 600_000;

/** True if what cannot be worked on is given up. */
export function isOverdue({ closesAt }: Pick<LiveRunDocument, 'closesAt'>, now: Date): boolean {
  return closesAt !== undefined && now.getTime() > closesAt.getTime() + giveUpMs;
}

/** True if a lane can take no slices: core has not created it, or it was closed. */
export function isLost({ poolId, fleetId, isPoolClosed, observed }: Lane): boolean {
  return (
    poolId === undefined || fleetId === undefined || isPoolClosed === true || observed?.isClosed === true
  );
}

/** True if the frames of a path were published, or never will be. @param isLate see {@link isOverdue} */
export function isFed(
  { paths, frames }: Pick<LiveRunDocument, 'paths' | 'frames'>,
  name: PathName,
  isLate: boolean,
): boolean {
  const path = paths[name];
  if (!path || (!path.intent && path.fed >= frames.announced)) return true;
  return isLate && path.lanes.every(isLost);
}

/**
 * True if all slices of a lane have ended and its fleet is gone. A person who drains a fleet, or closes a
 * pool, may leave slices that nobody works on; others may have published slices to the pool.
 * @param isLate see {@link isOverdue}
 */
export function hasEnded(
  { poolId, fleetId, isPoolClosed, published, observed }: Lane,
  isLate: boolean,
): boolean {
  if (poolId === undefined || fleetId === undefined) return published === 0;
  if (!isPoolClosed || !observed?.isFleetEnded || observed.leased > 0) return false;
  return isLate || (observed.waiting === 0 && observed.completed + observed.dead >= published);
}
