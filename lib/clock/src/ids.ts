import { getRandomValues } from 'node:crypto';
import { decodeTime, monotonicFactory } from 'ulid';
import { systemClock, type Clock } from './clock.js';

/** Where rules take ids from. */
export interface Ids {
  /**
   * A fresh id: `next('job')` is `job_01J…`. Later ids of one source sort behind earlier ones, whatever their
   * prefix.
   */
  next(prefix: string): string;
}

/** Creation time of an id; undefined for text that is not an id of this format. */
export function timeOfId(id: string): Date | undefined {
  try {
    return new Date(decodeTime(id.slice(id.indexOf('_') + 1)));
  } catch {
    return undefined;
  }
}

const wellFormed = /^[a-z][a-zA-Z]*$/;

/**
 * Prefixed ULIDs: 48 bits of time, 80 bits of chance, growing also within a millisecond and when the clock
 * goes back. `random` gives numbers in [0, 1); the default is the system's secure source.
 */
export function createIds(clock: Clock = systemClock, random: () => number = secureRandom()): Ids {
  const ulid = monotonicFactory(random);
  return {
    next(prefix) {
      if (!wellFormed.test(prefix))
        throw new TypeError(`id prefix "${prefix}" is not a lower camel case word`);
      return `${prefix}_${ulid(clock.now().getTime())}`;
    },
  };
}

/** Numbers of the system's secure source, fetched many at a time: an id takes sixteen. */
function secureRandom(): () => number {
  const numbers = new Uint32Array(256);
  let next = numbers.length;
  return () => {
    if (next === numbers.length) {
      getRandomValues(numbers);
      next = 0;
    }
    return (numbers[next++] as number) / 2 ** 32;
  };
}
