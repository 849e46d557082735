/** Pilots on their way that count against a demand. Pure. */
import type { PilotDocument } from '../model/pilot.types.js';

/** Time after which a pilot that was not submitted counts no more. */
const submitMs = 600_000;
/** Time for which a pilot that waits at one site holds back the others. */
const otherQueueMs = 900_000;

/**
 * True if a pilot on its way counts against the demand of a queue. Where the batch system of another queue is
 * full, its pilots may wait for days.
 */
export function isCounted(
  { queueId, state, createdAt }: Pick<PilotDocument, 'queueId' | 'state' | 'createdAt'>,
  demandOf: string,
  now: Date,
): boolean {
  const ageMs = now.getTime() - createdAt.getTime();
  if (state === 'REQUESTED') return ageMs < submitMs;
  return queueId === demandOf || state === 'RUNNING' || ageMs < otherQueueMs;
}
