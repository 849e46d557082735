/** The recent grants of each class in each share: what an estimate of a wait rests on. Bounded; times are handed in. */
import type { WaitEstimate } from './pending.types.js';

/** Grants remembered of one class and share. */
const maxKept = 64;
/** Kinds remembered; those that were not granted for longest are forgotten first. */
const maxKinds = 20_000;
/** What is older says nothing of now. */
const oldestMs = 3_600_000;
/** Fewer grants than these say nothing. */
const minGrants = 4;
/** Nine of ten lie on one side of this many standard deviations. */
const nineOfTen = 1.2816;

/** See the head of this file. */
export class GrantHistory {
  readonly #times = new Map<string, number[]>();

  /** Notes grants. @param atMs monotonic */
  note(share: string, classId: string, atMs: number): void {
    const key = `${share} ${classId}`;
    const times = this.#times.get(key) ?? [];
    this.#times.delete(key);
    times.push(atMs);
    if (times.length > maxKept) times.shift();
    this.#times.set(key, times);
    if (this.#times.size > maxKinds) this.#times.delete(this.#times.keys().next().value ?? '');
  }

  /**
   * The wait of a job with so many of its class before it: grants are taken to come as they came, one by one and by chance. The interval
   * has both chances in it: that of the grants to come, and that of those that were seen.
   */
  estimate(share: string, classId: string, before: number | null, nowMs: number): WaitEstimate {
    const times = (this.#times.get(`${share} ${classId}`) ?? []).filter((at) => nowMs - at <= oldestMs);
    const [first] = times;
    if (before === null) return unknownWait(times.length, 'The number of jobs before it is not known.');
    if (first === undefined || times.length < minGrants) {
      const seen = times.length === 0 ? 'No job' : `Only ${times.length} job${times.length === 1 ? '' : 's'}`;
      return unknownWait(
        times.length,
        `${seen} of its requirements and share was sent in the last hour; ${minGrants} are needed.`,
      );
    }
    // Silence since the last grant counts: what has stopped does not go on as it was.
    const perGrantMs = (nowMs - first) / times.length;
    if (perGrantMs <= 0) return unknownWait(times.length, 'All grants came at once; there is no rate yet.');
    const seconds = ((before + 1) * perGrantMs) / 1000;
    const spread = Math.exp(nineOfTen * Math.sqrt(1 / (before + 1) + 1 / (times.length - 1)));
    return {
      kind: 'ESTIMATED',
      seconds,
      lowSeconds: seconds / spread,
      highSeconds: seconds * spread,
      basedOnGrants: times.length,
      reason: `${times.length} jobs of its requirements and share were sent in the last ${Math.max(1, Math.round((nowMs - first) / 1000))} s.`,
    };
  }
}

/** Nothing can be said, and why. */
export function unknownWait(basedOnGrants: number, reason: string): WaitEstimate {
  return { kind: 'UNKNOWN', seconds: null, lowSeconds: null, highSeconds: null, basedOnGrants, reason };
}
