/**
 * Reads once a second what core knows of the pools and fleets of a run: numbers for questions, failures for
 * the breakers of sites, and fleets in a state that they should not have.
 */
import type { Clock } from '@rhizome/clock';
import type { BreakerDocument } from '../model/feed-collections.js';
import type { LaneObservation, LiveRunDocument } from '../model/live-run.document.js';
import { regulatorName } from '../model/live-run.types.js';
import { attemptsBetween, nextBreaker, type SiteAttempts } from '../model/regulator.js';
import type { LiveRunsRepository } from '../store/live-runs.repository.js';
import type { ResultsRepository } from '../store/results.repository.js';
import type { CoreCalls, LanePlace, LaneState } from './core-calls.js';
import { laneField, lanesOf, type RunMemory } from './lane-view.js';
import { resultsId } from './results-follower.js';

/** Dependencies of {@link RunObserver}. */
export interface RunObserverOptions {
  readonly runs: LiveRunsRepository;
  readonly results: ResultsRepository;
  readonly core: CoreCalls;
  readonly clock: Clock;
}

const hourMs = 3_600_000;
const windowMs = 60_000;
/** Longest time between samples for which workers count as running, in seconds. */
const maxSampleSeconds = 15;
/** Time after which numbers are stored again that have not changed, in milliseconds. */
const storeEveryMs = 10_000;
const failuresEveryMs = 5000;
/** Core keeps hours for longer, but a call covers 31 days. */
const maxPeriodMs = 30 * 24 * hourMs;

/** Reads the breakers of all sites. */
export type Breakers = () => Promise<readonly BreakerDocument[]>;

interface Sample extends SiteAttempts {
  readonly site: string;
  readonly at: number;
}

export class RunObserver {
  readonly #options: RunObserverOptions;
  /** Attempts at sites in the last minute. */
  #samples: Sample[] = [];
  #failuresReadAt = 0;

  constructor(options: RunObserverOptions) {
    this.#options = options;
  }

  /** Reads and stores. @returns fleets by identifier */
  async observe(
    run: LiveRunDocument,
    memory: RunMemory,
    readBreakers: Breakers,
  ): Promise<ReadonlyMap<string, LaneState>> {
    const { core, results, runs, clock } = this.#options;
    const lanes = lanesOf(run).filter(({ lane }) => lane.fleetId !== undefined);
    const states = await core.laneStates(lanes.flatMap(({ lane }) => lane.poolId ?? []));
    const byFleet = new Map(states.map((state) => [state.id, state]));
    const now = clock.now();
    const seen: [LanePlace, LaneObservation][] = [];
    // Another process may have counted the same time.
    const isUncounted: Record<string, unknown> = {};
    const set: Record<string, unknown> = {};
    const inc: Record<string, number> = {};
    for (const place of lanes) {
      const state = byFleet.get(place.lane.fleetId ?? '');
      if (!state) continue;
      const observed = observationOf(state, now);
      if (!isNews(place.lane.observed, observed)) continue;
      seen.push([place, observed]);
      isUncounted[laneField(place, 'observed.at')] = place.lane.observed?.at ?? { $exists: false };
      set[laneField(place, 'observed')] = observed;
      inc[laneField(place, 'heldCoreSeconds')] = heldBetween(place, now);
    }
    if (seen.length > 0 && (await runs.change(run._id, isUncounted, { $set: set, $inc: inc }, now)))
      for (const [place, observed] of seen) this.#sample(place, observed);
    memory.results = await results.ofRuns([run._id]);
    memory.breakers = new Map((await readBreakers()).map((breaker) => [breaker._id, breaker]));
    await this.#moveBreakers(run, memory.breakers, now);
    await this.#readFailures(run, memory, now);
    return byFleet;
  }

  #sample({ lane }: LanePlace, observed: LaneObservation): void {
    if (lane.site === undefined || !lane.observed) return;
    const attempts = attemptsBetween(lane.observed, observed);
    if (attempts.completed + attempts.failed === 0) return;
    this.#samples.push({ site: lane.site, at: observed.at.getTime(), ...attempts });
  }

  async #moveBreakers(
    run: LiveRunDocument,
    breakers: ReadonlyMap<string, BreakerDocument>,
    now: Date,
  ): Promise<void> {
    this.#samples = this.#samples.filter(({ at }) => at > now.getTime() - windowMs);
    for (const site of new Set(lanesOf(run).flatMap(({ lane }) => lane.site ?? []))) {
      const breaker = breakers.get(site);
      const from = breaker?.since.getTime() ?? 0;
      const counted = this.#samples.filter((sample) => sample.site === site && sample.at > from);
      const attempts = {
        completed: counted.reduce((sum, { completed }) => sum + completed, 0),
        failed: counted.reduce((sum, { failed }) => sum + failed, 0),
      };
      const next = nextBreaker(breaker, attempts, now);
      if (!next) continue;
      const { state, reason } = next;
      const changed = { _id: site, state, reason, since: now, by: regulatorName };
      await this.#options.results.moveBreaker(changed, breaker?.state ?? 'CLOSED');
    }
  }

  async #readFailures(run: LiveRunDocument, memory: RunMemory, now: Date): Promise<void> {
    if (now.getTime() - this.#failuresReadAt < failuresEveryMs) return;
    this.#failuresReadAt = now.getTime();
    const start = Math.max(run.createdAt.getTime(), now.getTime() - maxPeriodMs);
    const since = new Date(Math.floor(start / hourMs) * hourMs);
    const totals = await this.#options.core.failedAttempts(run.runNumber, since);
    for (const place of lanesOf(run)) {
      const ofLane = totals.filter(({ poolId }) => poolId === place.lane.poolId);
      const failures = ofLane.map(({ site, failedAttempts }) => ({
        site: site?.name ?? null,
        failedAttempts,
      }));
      const id = resultsId(place);
      const known = memory.results.find(({ _id }) => _id === id);
      if (known && JSON.stringify(known.failures) !== JSON.stringify(failures))
        await this.#options.results.noteFailures(id, failures, now);
    }
  }
}

function observationOf(
  { pool, jobCounts, targetJobs, latestDecision, state }: LaneState,
  at: Date,
): LaneObservation {
  const { waiting, leased, completed, dead, failedAttempts } = pool.counts;
  return {
    ...{ at, waiting, leased, completed, dead, failedAttempts, lagSeconds: pool.lagSeconds },
    ...{ targetWorkers: targetJobs, runningWorkers: jobCounts.running, waitingWorkers: jobCounts.waiting },
    fleetReason: latestDecision ? `${latestDecision.reason}: ${latestDecision.message}` : null,
    isFleetEnded: state === 'ENDED',
    isClosed: pool.state === 'CLOSED' || state === 'ENDED' || state === 'DRAINING',
  };
}

/** True if numbers have changed, or were not stored for a while. */
function isNews(before: LaneObservation | undefined, after: LaneObservation): boolean {
  if (!before || after.at.getTime() - before.at.getTime() >= storeEveryMs) return true;
  return JSON.stringify({ ...before, at: after.at }) !== JSON.stringify(after);
}

/** Core seconds of the workers that ran since the sample before. */
function heldBetween({ lane, settings }: LanePlace, now: Date): number {
  if (!lane.observed) return 0;
  const seconds = Math.min(maxSampleSeconds, (now.getTime() - lane.observed.at.getTime()) / 1000);
  return Math.max(0, seconds) * lane.observed.runningWorkers * settings.cores;
}
