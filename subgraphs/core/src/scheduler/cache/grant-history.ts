/**
 * Recent grants of each class in each share, from which waiting times are estimated. Bounded; times are
 * passed in.
 */
import { LRUCache } from 'lru-cache';
import type { WaitEstimate } from '../explain/pending.types.js';
import { plural } from '../../shared/plural.js';

/** Maximum number of bursts kept for one class and share. */
const maxKept = 64;
/** Maximum number of classes and shares; the least recently granted are forgotten first. */
const maxKinds = 20_000;
/** Older grants are irrelevant. */
const oldestMs = 3_600_000;
/** Grants may be reported this much out of order. */
const disorderMs = 1000;
/** Minimum number of grants for an estimate. */
const minGrants = 4;
/** Standard deviations with nine of ten values on one side. */
const nineOfTen = 1.2816;

/** Grants made at the same time. */
interface Burst {
  readonly atMs: number;
  grants: number;
}

/** Recent grants by share and class. */
export class GrantHistory {
  readonly #beganMs: number;
  readonly #bursts = new LRUCache<string, Burst[]>({ maxSize: maxKinds, sizeCalculation: () => 1 });

  /** @param beganMs monotonic milliseconds from which on grants are recorded; earlier grants are unknown */
  constructor(beganMs = Number.NEGATIVE_INFINITY) {
    this.#beganMs = beganMs;
  }

  /** Records a grant. @param atMs monotonic */
  record(share: string, classId: string, atMs: number): void {
    const key = `${share} ${classId}`;
    const bursts = this.#bursts.get(key) ?? [];
    const last = bursts[bursts.length - 1];
    if (last === undefined || atMs > last.atMs) bursts.push({ atMs, grants: 1 });
    // A grant that is reported again was made long before the last one.
    else if (last.atMs - atMs < disorderMs) last.grants += 1;
    if (bursts.length > maxKept) bursts.shift();
    this.#bursts.set(key, bursts);
  }

  /**
   * Estimates the wait of a job with `before` jobs of its class ahead. Assumes that grants continue at the
   * observed rate and burst size, at random times. The interval covers the randomness of the future grants
   * and of the observed ones.
   */
  estimate(share: string, classId: string, before: number | null, nowMs: number): WaitEstimate {
    const bursts = (this.#bursts.peek(`${share} ${classId}`) ?? []).filter(
      ({ atMs }) => nowMs - atMs <= oldestMs,
    );
    const grants = bursts.reduce((sum, one) => sum + one.grants, 0);
    const [first] = bursts;
    if (before === null) return unknownWait(grants, 'The number of jobs before it is unknown.');
    if (first === undefined || grants < minGrants) return unknownWait(grants, this.#tooFew(grants, nowMs));
    if (bursts.length < 2 || nowMs <= first.atMs)
      return unknownWait(grants, 'All grants were made at once; there is no rate yet.');
    // The time since the last grant counts: a rate that has dropped does not stay as it was.
    const perBurstMs = (nowMs - first.atMs) / bursts.length;
    const needed = Math.max(1, ((before + 1) * bursts.length) / grants);
    const seconds = (needed * perBurstMs) / 1000;
    const spread = Math.exp(nineOfTen * Math.sqrt(1 / needed + 1 / (bursts.length - 1)));
    return {
      kind: 'ESTIMATED',
      seconds,
      lowSeconds: seconds / spread,
      highSeconds: seconds * spread,
      basedOnGrants: grants,
      reason: `${grants} jobs with its requirements and share were granted in the last ${Math.max(1, Math.round((nowMs - first.atMs) / 1000))} s.`,
    };
  }

  #tooFew(grants: number, nowMs: number): string {
    const seen = grants === 0 ? 'No job' : `Only ${plural(grants, 'job')}`;
    const knownMs = nowMs - this.#beganMs;
    const when =
      knownMs >= oldestMs
        ? 'the last hour'
        : `the ${Math.max(0, Math.round(knownMs / 1000))} s this process has observed`;
    return `${seen} with its requirements and share was granted in ${when}; ${minGrants} are needed.`;
  }
}

/** Returns an estimate without a value, with the reason. */
export function unknownWait(basedOnGrants: number, reason: string): WaitEstimate {
  return { kind: 'UNKNOWN', seconds: null, lowSeconds: null, highSeconds: null, basedOnGrants, reason };
}
