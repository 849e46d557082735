/** Changes of hosts that the events of one batch make. */
import type { Clock } from '@rhizome/clock';
import { hostKeyOf } from '../../scheduler/cache/host-standing.types.js';
import type { HostBook } from './host-book.js';
import type { HostDocument, HostEvidence } from './host.document.js';
import type { HostJudge } from './host-judge.js';
import {
  alsoWasted,
  excluded,
  type HostLimits,
  type HostPlace,
  judge as judgeName,
  pinAt,
  recovered,
  suspected,
  viewOf,
} from './host-state.js';
import type { HostWrite } from './hosts.repository.js';

/** An attempt whose outcome for its host is known. */
export interface JudgedAttempt {
  readonly place: HostPlace;
  readonly kind: string;
  readonly jobId: string;
  readonly attempt: number;
  /** True if the host was tested by it. */
  readonly isTest: boolean;
}

/** An attempt that failed fast. */
export interface FailedAttempt extends JudgedAttempt {
  readonly code: string;
  readonly at: Date;
  /** Position of its end in the stream. */
  readonly token: string;
}

/** Dependencies of {@link HostChanges}. */
export interface HostChangesOptions {
  readonly book: HostBook;
  readonly judge: HostJudge;
  readonly limits: HostLimits;
  readonly clock: Clock;
}

/** Applies outcomes of attempts to hosts. */
export class HostChanges {
  /** Jobs whose tests are over. */
  readonly endedTests: string[] = [];
  readonly #options: HostChangesOptions;
  readonly #writes = new Map<string, HostWrite>();
  readonly #now: Date;

  constructor(options: HostChangesOptions) {
    this.#options = options;
    this.#now = options.clock.now();
  }

  /** Hosts to be written. */
  all(): readonly HostWrite[] {
    return [...this.#writes.values()];
  }

  /** An attempt finished, or ran longer than a fast failure. */
  lasted({ place, kind, isTest }: JudgedAttempt): void {
    const { judge, limits } = this.#options;
    const key = hostKeyOf(place);
    judge.lasted(key, kind);
    const host = this.#current(place);
    if (!host || this.#isPinned(host)) return;
    const { state } = this.#view(host);
    if (state === 'HALF_OPEN' && !isTest) return;
    if (state === 'SUSPECT' && !isTest && (judge.evidenceOf(key)?.failures ?? 0) >= limits.suspectAfter)
      return;
    if (state !== 'SUSPECT' && state !== 'HALF_OPEN') return;
    judge.forget(key);
    this.#put(recovered(host, this.#now));
  }

  /** An attempt failed fast. One that was taken into account before is left out. */
  failed(attempt: FailedAttempt): void {
    const { judge, limits } = this.#options;
    const { place, kind, jobId, attempt: number, code, at, token, isTest } = attempt;
    const host = this.#current(place);
    if (host && (host.upTo >= token || this.#isPinned(host))) return;
    const key = hostKeyOf(place);
    const state = host ? this.#view(host).state : 'HEALTHY';
    if (host && state === 'EXCLUDED') {
      const isOurs = host.by === judgeName && !isTest && host.evidence?.kinds?.includes(kind) === true;
      if (isOurs) this.#put(alsoWasted(host, { jobId, attempt: number }, token, this.#now));
      return;
    }
    if (state === 'HALF_OPEN') {
      // A job that fails everywhere says nothing about the host.
      if (isTest && !judge.failsEverywhere(kind)) this.#exclude(attempt, host, oneFailure(attempt, host));
      return;
    }
    const carried = state === 'SUSPECT' ? (host?.evidence ?? null) : null;
    const evidence = judge.failed({ host: key, kind, jobId, attempt: number, code, at }, carried);
    if (evidence.failures >= limits.excludeAfter) this.#exclude(attempt, host, evidence);
    else if (evidence.failures >= limits.suspectAfter)
      this.#put(suspected(place, host, evidence, token, limits, this.#now));
  }

  #exclude({ place, token }: FailedAttempt, host: HostDocument | undefined, evidence: HostEvidence): void {
    const { judge, limits } = this.#options;
    judge.forget(hostKeyOf(place));
    this.#put(excluded(place, host, evidence, token, limits, this.#now));
  }

  #current(place: HostPlace): HostDocument | undefined {
    return this.#writes.get(hostKeyOf(place))?.next ?? this.#options.book.find(place, this.#now.getTime());
  }

  #view(host: HostDocument) {
    return viewOf(host, this.#now.getTime());
  }

  #isPinned(host: HostDocument): boolean {
    return pinAt(host, this.#now.getTime()) !== undefined;
  }

  #put(next: HostDocument): void {
    const key = hostKeyOf(next);
    const earlier = this.#writes.get(key);
    const before = earlier ? earlier.before : this.#options.book.find(next, this.#now.getTime());
    this.#writes.set(key, { before, next });
  }
}

/** Evidence of one failed test; that of earlier failures says what lasted elsewhere. */
function oneFailure({ jobId, code, at }: FailedAttempt, host: HostDocument | undefined): HostEvidence {
  const { lastedElsewhere = 0, failedElsewhere = 0 } = host?.evidence ?? {};
  return {
    ...{ failures: 1, jobs: [jobId], codes: [{ code, count: 1 }], firstAt: at, lastAt: at },
    ...{ lastedElsewhere, failedElsewhere },
  };
}
