/** Parts of the update of a group that change where and how often a waiting job may run. */
import type { Plain, TransitionGroup, TransitionShape } from './transition-group.types.js';

type Value = (name: string) => unknown;

/** Returns true if grants that were decided before the transition are no longer valid after it. */
export function bumpsGeneration({ changesRequirements, movesShare }: TransitionShape): boolean {
  return changesRequirements || movesShare;
}

/** The generation after a change. */
export const nextGeneration: Plain = { $add: [{ $ifNull: ['$generation', 0] }, 1] };

/** Moves the job to another share, and sets its maximum number of attempts. */
export function moving({ shape }: TransitionGroup, value: Value): Plain {
  const isShareKey = { $eq: [{ $substrBytes: ['$$this', 0, 2] }, 's:'] };
  const lookup = {
    $map: { input: '$lookup', as: 'this', in: { $cond: [isShareKey, value('shareKey'), '$$this'] } },
  };
  return {
    ...(shape.movesShare ? { share: value('share'), lookup } : {}),
    ...(shape.changesAttempts
      ? { retry: { $mergeObjects: ['$retry', { maxAttempts: value('maxAttempts') }] } }
      : {}),
  };
}
