/** Parts of an event that report an attempt that ended, or that is valid again. */
import { isHeld, isTerminal } from '../model/job-state.js';
import type { Plain, TransitionGroup } from './transition-group.types.js';

type Value = (name: string) => unknown;

/** Code of an end without an error while attempts are left; every such end has an error today. */
const unnamed = 'UNKNOWN';

/** The failure of the open attempt, if the transition ends it without success. */
export function failureOf({ edge: { from, to }, shape, at }: TransitionGroup, value: Value): Plain {
  if (shape.adopts || !isHeld(from) || isHeld(to) || to === 'FINISHED') return {};
  const code = { $ifNull: [value('errorCode'), isTerminal(to) ? to : unnamed] };
  return {
    failure: {
      $let: {
        vars: { attempt: { $last: '$attempts' } },
        in: {
          ...place,
          queue: '$queue',
          family: value('errorFamily'),
          code,
          exitCode: value('exitCode'),
          gpus: '$gpu.count',
          seconds: secondsTo(at),
          at,
        },
      },
    },
  };
}

/**
 * Place and duration of the open attempt, if the transition ends it and preferences of the job read what was
 * measured. Its class is the one of the attempt: the transition may change the requirements.
 */
export function runOf(group: TransitionGroup, value: Value): Plain {
  const { from, to } = group.edge;
  if (group.shape.adopts || !isHeld(from) || isHeld(to)) return {};
  const reported = group.shape.reportsEnd ? value('metrics') : '$$attempt.metrics';
  const run = {
    $let: {
      vars: { attempt: { $last: '$attempts' } },
      in: {
        classId: '$classId',
        host: '$$attempt.host',
        site: '$$attempt.site',
        queue: '$queue',
        seconds: {
          $let: {
            vars: { metrics: reported },
            in: { $ifNull: ['$$metrics.wallSeconds', secondsOfPayload(group), '$$REMOVE'] },
          },
        },
      },
    },
  };
  return { run: { $cond: [{ $gt: ['$requirements.measuredIn', null] }, run, '$$REMOVE'] } };
}

/** Time for which the payload ran, without that in which outputs waited; null if it did not start. */
function secondsOfPayload({ edge: { from }, at }: TransitionGroup): Plain {
  const startedAt = '$$attempt.startedAt';
  const left = (state: string): Plain => ({
    $cond: [{ $gte: [`$stateTimes.${state}`, startedAt] }, `$stateTimes.${state}`, null],
  });
  const end = from === 'RUNNING' ? at : { $min: [left('HOLDING'), left('TRANSFERRING')] };
  return { $cond: [{ $gt: [startedAt, null] }, { $divide: [{ $subtract: [end, startedAt] }, 1000] }, null] };
}

/** The failure of an attempt that is valid again; left out if the attempt had not ended. */
export function revokedOf({ shape }: TransitionGroup, value: Value): Plain {
  if (!shape.adopts) return {};
  const own = { $filter: { input: '$attempts', cond: { $eq: ['$$this.number', value('attempt')] } } };
  const failure = {
    ...place,
    ...placeWhenLost,
    family: '$$attempt.error.family',
    code: { $ifNull: ['$$attempt.error.code', unnamed] },
    exitCode: '$$attempt.exitCode',
    seconds: secondsTo('$$attempt.endedAt'),
    at: '$$attempt.endedAt',
  };
  return {
    revoked: {
      $let: {
        vars: { attempt: { $first: own } },
        in: { $cond: [{ $gt: ['$$attempt.endedAt', null] }, failure, '$$REMOVE'] },
      },
    },
  };
}

/** Values of the attempt and of the job; absent ones are left out. */
const place: Plain = {
  host: '$$attempt.host',
  site: '$$attempt.site',
  image: '$payload.image',
  cores: '$requirements.cores',
};

/** Values of the job that it may no longer have; stored when contact was lost. */
const placeWhenLost: Plain = {
  queue: '$$attempt.unreachable.queue',
  gpus: '$$attempt.unreachable.gpu.count',
};

function secondsTo(end: unknown): Plain {
  return {
    $divide: [{ $subtract: [end, { $ifNull: ['$$attempt.startedAt', '$$attempt.sentAt'] }] }, 1000],
  };
}
