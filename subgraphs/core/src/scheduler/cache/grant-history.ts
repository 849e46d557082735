/** The recent grants of each class in each share: what an estimate of a wait rests on. Bounded; times are handed in. */
import { LRUCache } from 'lru-cache';
import type { WaitEstimate } from '../explain/pending.types.js';
import { plural } from '../../shared/plural.js';

/** Moments with grants remembered of one class and share. */
const maxKept = 64;
/** Kinds remembered; those that were not granted for longest are forgotten first. */
const maxKinds = 20_000;
/** What is older says nothing of now. */
const oldestMs = 3_600_000;
/** Words of several grants may come this much out of order. */
const disorderMs = 1000;
/** Fewer grants than these say nothing. */
const minGrants = 4;
/** Nine of ten lie on one side of this many standard deviations. */
const nineOfTen = 1.2816;

/** Grants that were made at once. */
interface Burst {
  readonly atMs: number;
  grants: number;
}

/** See the head of this file. */
export class GrantHistory {
  readonly #beganMs: number;
  readonly #bursts = new LRUCache<string, Burst[]>({ maxSize: maxKinds, sizeCalculation: () => 1 });

  /** @param beganMs monotonic milliseconds from which on grants are noted; what was granted before is not known */
  constructor(beganMs = Number.NEGATIVE_INFINITY) {
    this.#beganMs = beganMs;
  }

  /** Notes a grant. @param atMs monotonic */
  note(share: string, classId: string, atMs: number): void {
    const key = `${share} ${classId}`;
    const bursts = this.#bursts.get(key) ?? [];
    const last = bursts[bursts.length - 1];
    if (last === undefined || atMs > last.atMs) bursts.push({ atMs, grants: 1 });
    // What is told once more is long past.
    else if (last.atMs - atMs < disorderMs) last.grants += 1;
    if (bursts.length > maxKept) bursts.shift();
    this.#bursts.set(key, bursts);
  }

  /**
   * The wait of a job with so many of its class before it: grants are taken to come as they came, so many at once and by chance. The
   * interval has both chances in it: that of the grants to come, and that of those that were seen.
   */
  estimate(share: string, classId: string, before: number | null, nowMs: number): WaitEstimate {
    const bursts = (this.#bursts.peek(`${share} ${classId}`) ?? []).filter(
      ({ atMs }) => nowMs - atMs <= oldestMs,
    );
    const grants = bursts.reduce((sum, one) => sum + one.grants, 0);
    const [first] = bursts;
    if (before === null) return unknownWait(grants, 'The number of jobs before it is not known.');
    if (first === undefined || grants < minGrants) return unknownWait(grants, this.#tooFew(grants, nowMs));
    if (bursts.length < 2 || nowMs <= first.atMs)
      return unknownWait(grants, 'All grants came at once; there is no rate yet.');
    // Silence since the last grant counts: what has stopped does not go on as it was.
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
      reason: `${grants} jobs of its requirements and share were sent in the last ${Math.max(1, Math.round((nowMs - first.atMs) / 1000))} s.`,
    };
  }

  #tooFew(grants: number, nowMs: number): string {
    const seen = grants === 0 ? 'No job' : `Only ${plural(grants, 'job')}`;
    const knownMs = nowMs - this.#beganMs;
    const when =
      knownMs >= oldestMs
        ? 'the last hour'
        : `the ${Math.max(0, Math.round(knownMs / 1000))} s that this process knows of`;
    return `${seen} of its requirements and share was sent in ${when}; ${minGrants} are needed.`;
  }
}

/** Nothing can be said, and why. */
export function unknownWait(basedOnGrants: number, reason: string): WaitEstimate {
  return { kind: 'UNKNOWN', seconds: null, lowSeconds: null, highSeconds: null, basedOnGrants, reason };
}
