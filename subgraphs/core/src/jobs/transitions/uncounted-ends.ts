/** Counts attempts that ended without costing one. The job lists only its latest attempts. */
import { isPlannedEnd, isUncounted, plannedErrors, uncountedErrors } from '@rhizome/errors';
import type { StoredJobError, UncountedReason } from '../model/job.types.js';
import type { Plain, TransitionGroup, TransitionShape } from './transition-group.types.js';

/** Says whether the end of an attempt costs none. */
export function uncountedEndOf(error: StoredJobError | undefined): TransitionShape['uncountedEnd'] {
  if (error === undefined || isPlannedEnd(error)) return 'no';
  return isUncounted(error) ? 'yes' : 'ifMarked';
}

/** Change of the counter by the end of the current attempt, or by the return of a worker. */
export function countingUncounted({ shape }: TransitionGroup, adopted: unknown): Plain {
  const more = { $add: [counted, 1] };
  if (shape.adopts) return { uncountedEnds: withoutReturned(adopted) };
  if (shape.uncountedEnd === 'yes') return { uncountedEnds: more };
  if (shape.uncountedEnd === 'no') return {};
  const mark = { $getField: { field: 'uncounted', input: { $last: '$attempts' } } };
  return { uncountedEnds: { $cond: [isPresent(mark), more, '$uncountedEnds'] } };
}

/** Attempts from the adopted one on are valid again, or removed. */
function withoutReturned(adopted: unknown): Plain {
  const returned = { $filter: { input: '$attempts', cond: { $gte: ['$$this.number', adopted] } } };
  return { $max: [0, { $subtract: [counted, uncountedIn(returned)] }] };
}

/** Change of the job and of one ended attempt that is given back: its host was excluded because of it. */
export function givingBack(attempt: number): Plain {
  const given = { $mergeObjects: ['$$this', { uncounted: 'BAD_HOST' satisfies UncountedReason }] };
  const attempts = {
    $map: {
      input: '$attempts',
      as: 'this',
      in: { $cond: [{ $eq: ['$$this.number', attempt] }, given, '$$this'] },
    },
  };
  return { attempts, uncountedEnds: { $add: [counted, 1] } };
}

const isPresent = (value: unknown): Plain => ({ $ne: [{ $type: value }, 'missing'] });

/** True if the error of `$$this` is one of these. */
function isOneOf(errors: typeof uncountedErrors): Plain {
  const kinds = errors.map(({ family, code }) => [family, code]);
  const kind = ['$$this.error.family', '$$this.error.code'];
  return { $and: ['$$this.error.retryable', { $in: [kind, { $literal: kinds }] }] };
}

function uncountedIn(attempts: unknown): Plain {
  const isFree = { $or: [isPresent('$$this.uncounted'), isOneOf(uncountedErrors)] };
  const cond = { $and: [isPresent('$$this.error'), { $not: [isOneOf(plannedErrors)] }, isFree] };
  return { $size: { $filter: { input: attempts, cond } } };
}

/** The counter before the change. Jobs of earlier versions have none. */
const counted: Plain = { $ifNull: ['$uncountedEnds', uncountedIn('$attempts')] };
