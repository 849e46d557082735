/** Explains what downtimes of queues mean for a job. Pure. */
import {
  type DowntimeWindow,
  downtimeText,
  nextDowntime,
  secondsUntilDowntime,
} from '../../queues/downtimes/downtime-window.js';
import type { QueueFacts } from '../../queues/queue-facts.types.js';
import { consideredQueues } from '../cache/equivalent-workers.js';
import type { Fleet } from '../cache/fleet.js';
import type { RequirementClass } from '../requirements/requirement-class.js';

interface ClosedQueue {
  readonly queue: QueueFacts;
  readonly window: DowntimeWindow;
  readonly secondsLeft: number;
}

/**
 * Sentences about the downtimes that keep a job from the queues that would take it; undefined if none does.
 * Of several queues, the one with the most time left is named.
 * @param wallMs current time
 */
export function downtimeReason(
  fleet: Fleet,
  experiment: string,
  cls: RequirementClass,
  wallMs: number | undefined,
): string | undefined {
  if (wallMs === undefined) return undefined;
  const closed = consideredQueues(fleet, experiment, cls).flatMap((queue) => closedFor(queue, cls, wallMs));
  const [best] = closed.sort((a, b) => b.secondsLeft - a.secondsLeft);
  if (!best) return undefined;
  const others = closed.length - 1;
  const more = others === 0 ? '' : ` So ${others === 1 ? 'is 1 other queue' : `are ${others} other queues`}.`;
  const seconds = Math.floor(best.secondsLeft);
  const fits = seconds > 0 ? ` A walltime of at most ${seconds} s would still fit.` : '';
  return `Queue ${best.queue.name} is ${downtimeText(best.window)}.${more}${fits}`;
}

function closedFor(
  queue: QueueFacts,
  { requirements: { walltimeSeconds } }: RequirementClass,
  wallMs: number,
): readonly ClosedQueue[] {
  const { downtimes = [] } = queue;
  const window = nextDowntime(downtimes, wallMs);
  const secondsLeft = secondsUntilDowntime(downtimes, wallMs);
  return window && secondsLeft < walltimeSeconds ? [{ queue, window, secondsLeft }] : [];
}
