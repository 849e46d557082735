/** Parts of the update of a group that open an attempt, or make an earlier one valid again. */
import { plannedJobEnds } from '@rhizome/errors';
import { isWaiting } from '../model/job-state.js';
import type { Plain, TransitionGroup } from './transition-group.types.js';

/** Maximum number of attempts of a job; the upper limit of `retry.maxAttempts`. */
export const maxAttempts = 20;

type Value = (name: string) => unknown;

/** Opens the next attempt. */
export function granting({ shape, at }: TransitionGroup, value: Value): Plain {
  if (!shape.grants) return {};
  const attempt = {
    number: { $add: ['$attempt', 1] },
    id: value('attemptId'),
    workerId: value('workerId'),
    queueId: value('queueId'),
    host: value('host'),
    site: value('site'),
    fence: value('fence'),
    deviceIds: value('deviceIds'),
    sentAt: at,
    continuity: value('continuity'),
    uncounted: value('uncounted'),
    preference: value('preference'),
  };
  return {
    ...assigned(value),
    attempt: { $add: ['$attempt', 1] },
    attempts: { $slice: [{ $concatArrays: ['$attempts', [attempt]] }, -maxAttempts] },
    exitCode: '$$REMOVE',
    error: '$$REMOVE',
    metrics: '$$REMOVE',
  };
}

/**
 * Makes an attempt valid again. Attempts after it, which are grants that no worker has begun, are removed.
 */
export function adopting({ edge: { from }, shape }: TransitionGroup, value: Value): Plain {
  if (!shape.adopts) return {};
  const those = (operator: '$lt' | '$eq'): Plain => ({
    $filter: { input: '$attempts', cond: { [operator]: ['$$this.number', value('attempt')] } },
  });
  const own = { $first: those('$eq') };
  const ofOwn = (field: string): Plain => ({ $ifNull: [{ $getField: { field, input: own } }, '$$REMOVE'] });
  const valid = {
    workerId: value('workerId'),
    queueId: value('queueId'),
    fence: value('fence'),
    earlierFence: value('earlierFence'),
  };
  // The job for which a given-away attempt was to end has got a place since.
  const wasGivenAway = isWaiting(from) || from === 'SENT';
  const ended = ['endedAt', 'outcome', 'error', 'unreachable', 'decision', 'keptOutputs'];
  const adopted = [...ended, ...(wasGivenAway ? ['preemption'] : [])].reduce<Plain>(
    (input, field) => ({ $unsetField: { field, input } }),
    { $mergeObjects: [own, valid] },
  );
  // Its end was planned, and is no end any more.
  const isPlanned = { $in: [{ $getField: { field: 'code', input: ofOwn('error') } }, plannedJobEnds] };
  return {
    ...assigned(value),
    attempt: value('attempt'),
    plannedEnds: { $cond: [isPlanned, { $subtract: ['$plannedEnds', 1] }, '$plannedEnds'] },
    attempts: { $concatArrays: [those('$lt'), [adopted]] },
    exitCode: ofOwn('exitCode'),
    error: '$$REMOVE',
    metrics: ofOwn('metrics'),
  };
}

function assigned(value: Value): Plain {
  return {
    fence: value('fence'),
    workerId: value('workerId'),
    queueId: value('queueId'),
    queue: value('queue'),
    gpu: value('gpu'),
  };
}
