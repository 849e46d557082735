/**
 * Judges hosts by the ends of attempts: a host is conspicuous if its jobs fail fast while jobs of the same
 * kind last elsewhere. Pure; the number of hosts and kinds in memory is bounded.
 */
import { LRUCache } from 'lru-cache';
import { type HostEvidence, mostWasted, type WastedAttempt } from './host.document.js';
import type { HostLimits } from './host-state.js';

/** An attempt that failed fast. */
export interface FastFailure {
  /** Key of the host. */
  readonly host: string;
  /** Jobs that are alike: of one task, or of one owner with the same requirements. */
  readonly kind: string;
  readonly jobId: string;
  readonly attempt: number;
  readonly code: string;
  readonly at: Date;
}

/** Attempts of a kind since this process began to judge. */
interface Kind {
  lasted: number;
  /** At most {@link mostOfOneHost} of each host in a row: one bad host does not speak for the kind. */
  failed: number;
  /** Attempts that lasted lately, by host; of a few hosts. */
  readonly recent: Map<string, number>;
}

/** Attempts of a kind on one host since its first failure. */
interface OwnKind {
  readonly jobs: Set<string>;
  /** The attempts that failed, the oldest first. */
  readonly attempts: WastedAttempt[];
  readonly lastedBefore: number;
  /** Of those, some that lasted on other hosts. */
  readonly elsewhereBefore: number;
  readonly failedBefore: number;
  lasted: number;
  failed: number;
}

/** Failures of a host without a longer pause between them. */
interface Streak {
  readonly kinds: Map<string, OwnKind>;
  /** Failures that an earlier leader has counted. */
  readonly carried: number;
  readonly carriedAttempts: readonly WastedAttempt[];
  readonly carriedKinds: readonly string[];
  lasted: number;
  readonly codes: Map<string, number>;
  jobs: readonly string[];
  readonly firstAt: Date;
  lastAt: Date;
}

const maxKinds = 10_000;
const maxHosts = 20_000;
const maxKindsOfHost = 20;
const maxJobsOfKind = 20;
const maxAttemptsOfKind = 40;
const mostOfOneHost = 3;
const maxSamples = 5;
/** An attempt that lasts outweighs this number of failures. */
const weightOfLasted = 2;
/** Attempts that must last elsewhere: this number, and this number for each failure there. */
const leastLasted = 3;
const lastedPerFailure = 4;
/** Most attempts before the first failure that speak for the kind. */
const mostBefore = 8;
/** Hosts of a kind that are known by name. */
const mostRecent = 4;

/** Counts of hosts and kinds of jobs. */
export class HostJudge {
  readonly #windowMs: number;
  readonly #kinds = new LRUCache<string, Kind>({ max: maxKinds });
  readonly #streaks = new LRUCache<string, Streak>({ max: maxHosts });

  constructor({ windowSeconds }: Pick<HostLimits, 'windowSeconds'>) {
    this.#windowMs = windowSeconds * 1000;
  }

  /** Records an attempt that finished, or ran longer than a fast failure. */
  lasted(host: string, kind: string): void {
    const all = this.#kindOf(kind);
    all.lasted += 1;
    const before = all.recent.get(host) ?? 0;
    all.recent.delete(host);
    all.recent.set(host, before + 1);
    for (const oldest of all.recent.keys()) if (all.recent.size > mostRecent) all.recent.delete(oldest);
    const streak = this.#streaks.peek(host);
    if (!streak) return;
    streak.lasted += 1;
    const own = streak.kinds.get(kind);
    if (own) own.lasted += 1;
  }

  /** Records a fast failure. @param carried evidence of an earlier leader, if the host is SUSPECT */
  failed({ host, kind, jobId, attempt, code, at }: FastFailure, carried: HostEvidence | null): HostEvidence {
    const streak = this.#streakOf(host, at, carried);
    const all = this.#kindOf(kind);
    let own = streak.kinds.get(kind);
    if (!own && streak.kinds.size < maxKindsOfHost) {
      own = ownOf(host, all);
      streak.kinds.set(kind, own);
    }
    if (own && own.jobs.size < maxJobsOfKind) own.jobs.add(jobId);
    if (own && own.attempts.length < maxAttemptsOfKind) own.attempts.push({ jobId, attempt });
    if (own && own.failed < mostOfOneHost) {
      own.failed += 1;
      all.failed += 1;
    }
    streak.codes.set(code, (streak.codes.get(code) ?? 0) + 1);
    streak.jobs = [jobId, ...streak.jobs.filter((one) => one !== jobId)].slice(0, maxSamples);
    streak.lastAt = at;
    return this.#evidenceOf(streak);
  }

  /** Evidence against a host; undefined without a failure. */
  evidenceOf(host: string): HostEvidence | undefined {
    const streak = this.#streaks.peek(host);
    return streak && this.#evidenceOf(streak);
  }

  /** True if more attempts of the kind fail fast on different hosts than it is known to last. */
  failsEverywhere(kind: string): boolean {
    const { lasted, failed } = this.#kinds.peek(kind) ?? { lasted: 0, failed: 0 };
    return failed > 0 && lasted < lastedPerFailure * failed;
  }

  /** Begins again with the host. */
  forget(host: string): void {
    this.#streaks.delete(host);
  }

  #kindOf(kind: string): Kind {
    let known = this.#kinds.get(kind);
    if (!known) this.#kinds.set(kind, (known = { lasted: 0, failed: 0, recent: new Map() }));
    return known;
  }

  #streakOf(host: string, at: Date, carried: HostEvidence | null): Streak {
    const known = this.#streaks.get(host);
    if (known && at.getTime() - known.lastAt.getTime() <= this.#windowMs) return known;
    const streak: Streak = {
      kinds: new Map(),
      carried: carried?.failures ?? 0,
      carriedAttempts: carried?.attempts ?? [],
      carriedKinds: carried?.kinds ?? [],
      lasted: 0,
      codes: new Map(carried?.codes.map(({ code, count }) => [code, count])),
      jobs: carried?.jobs ?? [],
      firstAt: carried?.firstAt ?? at,
      lastAt: at,
    };
    this.#streaks.set(host, streak);
    return streak;
  }

  /** Attempts of the kind elsewhere; undefined if too few lasted for its failures to count. */
  #countsElsewhere(kind: string, own: OwnKind) {
    const all = this.#kindOf(kind);
    const failed = all.failed - own.failedBefore - own.failed;
    const lasted = all.lasted - own.lastedBefore - own.lasted + own.elsewhereBefore;
    return lasted < Math.max(leastLasted, lastedPerFailure * failed) ? undefined : { lasted, failed };
  }

  #evidenceOf({ kinds, carried, lasted, codes, jobs, firstAt, lastAt, ...streak }: Streak): HostEvidence {
    const attempts = [...streak.carriedAttempts];
    const counted = new Set(streak.carriedKinds);
    let [failures, lastedElsewhere, failedElsewhere] = [carried, 0, 0];
    for (const [kind, own] of kinds) {
      const elsewhere = this.#countsElsewhere(kind, own);
      if (!elsewhere) continue;
      failures += own.jobs.size;
      attempts.push(...own.attempts);
      counted.add(kind);
      lastedElsewhere += elsewhere.lasted;
      failedElsewhere += elsewhere.failed;
    }
    const sorted = [...codes].sort(([, a], [, b]) => b - a).slice(0, maxSamples);
    return {
      failures: Math.max(0, failures - weightOfLasted * lasted),
      jobs,
      codes: sorted.map(([code, count]) => ({ code, count })),
      firstAt,
      lastAt,
      lastedElsewhere,
      failedElsewhere,
      attempts: attempts.slice(0, mostWasted),
      kinds: [...counted].slice(0, maxKindsOfHost),
    };
  }
}

function ownOf(host: string, { lasted, failed, recent }: Kind): OwnKind {
  let elsewhere = 0;
  for (const [other, count] of recent) if (other !== host) elsewhere += count;
  return {
    ...{ jobs: new Set(), attempts: [], lastedBefore: lasted, failedBefore: failed, lasted: 0, failed: 0 },
    elsewhereBefore: Math.min(mostBefore, elsewhere),
  };
}
